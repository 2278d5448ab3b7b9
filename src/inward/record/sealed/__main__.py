"""Seal one segment, in a process of its own: `python -m inward.record.sealed SEGMENT SIZE FIRST COUNT`.

What runs a system seals in this way: it needs a core for some seconds, and memory that is given back. Prints why where
it cannot be done, and ends with 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inward.errors import InwardError
from inward.record.sealed.reading import Extent
from inward.record.sealed.seal import seal
from inward.record.segment import Segment


def main(arguments: list[str]) -> int:
    """Seal what the arguments name; return the exit code."""
    path, size, first, count = arguments
    segment = Segment.of(Path(path))
    try:
        if segment is None:
            raise InwardError(f"`{path}` is no segment")  # noqa: TRY301 - one end for all
        seal(segment, int(size), Extent(int(first), int(count)))
    except InwardError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
