"""`inward reflect`: take down what a running gRPC server serves, as a descriptor set in the system folder."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Annotated

import typer

from inward.catalog.document import shown
from inward.catalog.protobuf.descriptors import SUFFIXES
from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import print_json, print_line, printable, remark
from inward.control.reflection import reflect_server
from inward.errors import BadInputError
from inward.policy.authoring.replace import read_file, replace_file


def reflect(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="HOST:PORT or unix:PATH of the server itself.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="In the system folder, such as apis/orders.binpb.")
    ],
    service: Annotated[
        list[str] | None, typer.Option("--service", metavar="NAME", help="Only this one; may repeat.")
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="By TLS, with the certificates that this machine trusts.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, metavar="SECONDS")] = 30.0,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Ask a running gRPC server by reflection what it serves, and write that down as a descriptor set.

    Once, and again whenever its services change: nothing is fetched when the system is loaded.
    """
    folder = system_folder(system)
    name = posixpath.normpath(output)
    if not name.endswith(SUFFIXES) or name.startswith(("/", "../")) or "\x00" in name:
        raise BadInputError(
            f"`{shown(output)}` is no descriptor set of the system folder",
            hint="name a file in it that ends with " + " or ".join(f"`{suffix}`" for suffix in SUFFIXES),
        )
    reflected = reflect_server(target, service or (), tls=tls, seconds=timeout)
    before = read_file(folder, name)
    if before != reflected.descriptors:
        replace_file(folder, name, before, reflected.descriptors)
    changed = before != reflected.descriptors
    if json:
        print_json({"file": name, "services": list(reflected.services), "changed": changed})
        return
    for each in reflected.services:
        print_line(printable(each))
    remark(f"{'wrote' if changed else 'nothing has changed in'} {printable(name)}")
    remark(f"a service names it in inward.yaml as its `api: {printable(name)}`")
