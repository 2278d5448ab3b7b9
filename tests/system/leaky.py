"""The app of the sampling tests: answers hold more than their description says.

    python leaky.py SOCKET MARK

`MARK` is in every value that nobody may find anywhere but in an answer. `/orders/{id}` answers with an address in a
line's note, packed by gzip where `id` begins with `z`, `/orders` with half a megabyte, whatever it is asked.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys


def answer_to(target: str, mark: str) -> tuple[bytes, str]:
    name = target.partition("?")[0].rpartition("/")[2]
    address = f"{mark}.{name}@lindqvist.test"
    if name == "orders":
        return json.dumps({"orders": ["x" * 1000] * 500, "contact": address}).encode(), ""
    order = {"id": name, "contact": address, "lines": [{"note": f"for {address}"}], f"{mark}@key.test": 1}
    content = json.dumps(order).encode()
    return (gzip.compress(content, mtime=0), "content-encoding: gzip\r\n") if name.startswith("z") else (content, "")


async def main(socket: str, mark: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            while (await reader.readline()).strip():
                pass
            body, more = answer_to(line.split(b" ")[1].decode(), mark)
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{more}content-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, socket)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
