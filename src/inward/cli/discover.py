"""`inward discover`: a first catalog of a service, from what runs, what was seen, and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inward.catalog.document import shown
from inward.catalog.model import Address
from inward.catalog.system import FILE, load_system
from inward.cli.discovered import print_adoption, print_discovery, report_as_json
from inward.cli.init import domain_of
from inward.cli.options import JSONOption  # noqa: TC001 - Typer reads the annotations
from inward.cli.output import print_json
from inward.cli.progress import shown_progress
from inward.control.adopting import Wanted, checked, plan, write
from inward.control.discovering import Sources, discovered
from inward.control.layout import STATE
from inward.discovery.paths.observed import LEAST_CALLS
from inward.errors import BadInputError, ExitCode, InvalidSystemError
from inward.identity.spiffe_id import InvalidSpiffeIDError, SpiffeID, parse_trust_domain

if TYPE_CHECKING:
    from inward.catalog.model import Catalog

LogFormat = Literal["envoy", "combined", "json"]


def discover(  # noqa: PLR0917 - options are parameters here
    service: Annotated[str, typer.Option("--service", metavar="NAME", help="The service, new or of the system.")],
    from_url: Annotated[
        list[str] | None, typer.Option("--from-url", metavar="URL", help="The OpenAPI document of a running service.")
    ] = None,
    from_proto: Annotated[
        list[Path] | None, typer.Option("--from-proto", metavar="PATH", help="A .proto file, or a folder of them.")
    ] = None,
    from_source: Annotated[
        list[Path] | None,
        typer.Option("--from-source", metavar="PATH", help="Its code: FastAPI, Flask, Django, Spring."),
    ] = None,
    from_log: Annotated[
        list[Path] | None, typer.Option("--from-log", metavar="FILE", help="An access log, plain or gzip; may repeat.")
    ] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option("--log-format", help="Of all logs.", show_default="told by looking")
    ] = None,
    from_record: Annotated[
        bool, typer.Option("--from-record", help="Calls in this system's record that fit no operation.")
    ] = False,
    least: Annotated[
        int, typer.Option("--least", min=1, metavar="CALLS", help="Seen more rarely, it is left out.")
    ] = LEAST_CALLS,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="Of each --from-url.")] = 30.0,
    write_: Annotated[bool, typer.Option("--write", help="Write a document, and the service's entry.")] = False,
    doubtful: Annotated[bool, typer.Option("--doubtful", help="Write what is doubtful too.")] = False,
    owner: Annotated[str, typer.Option(metavar="TEAM", help="Of a new service; needed to write one.")] = "",
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="Of a new service.")] = "127.0.0.1:0",
    run: Annotated[str, typer.Option(metavar="COMMAND", help="Of a new service, with {socket} or {port}.")] = "",
    system: Annotated[
        Path,
        typer.Option(
            "--system", metavar="DIR", help="The system folder, or where to begin one.", show_default="the current one"
        ),
    ] = Path(),
    json: JSONOption = False,
) -> int:
    """Find the operations of a service: print what was found, where it comes from, and how sure it is.

    Several sources may be given. Nothing is written without --write, and nothing is ever overwritten. Exit 1: nothing
    was found at all.
    """
    sources = Sources(
        urls=tuple(from_url or ()),
        protos=tuple(from_proto or ()),
        code=tuple(from_source or ()),
        logs=tuple(from_log or ()),
        form=log_format,
        record=system / STATE / "record" if from_record else None,
        least=least,
        seconds=timeout,
    )
    if not sources:
        raise BadInputError(
            "there is nothing to look at", hint="give `--from-url`, `--from-source`, `--from-log` or another"
        )
    catalog = _catalog(system)
    there = catalog is not None and service in catalog.services
    domain = catalog.trust_domain if catalog else domain_of(system)
    _check_name(domain, service)
    if from_record and not there:
        raise BadInputError(
            f"the system has no service `{shown(service)}`", hint="`--from-record` is of one that it has"
        )
    if write_ and not there and not owner:
        raise BadInputError(
            f"`{shown(service)}` is new, and has no owner",
            hint="name the team that will grant its operations: `--owner TEAM`",
        )
    Address.parse(listen)
    with shown_progress(wanted=not json) as watch:
        found = discovered(sources, service, catalog, watch)
    wanted = Wanted(owner or "nobody", listen, run, domain)
    adoption = plan(system, catalog, service, found.operations, found.documents, found.apis, wanted, doubtful=doubtful)
    if write_ and adoption.files:
        checked(system, adoption)
        write(system, adoption)
    if json:
        print_json(report_as_json(service, found, adoption, written=write_))
    else:
        print_discovery(found, adoption)
        print_adoption(system, service, found, adoption, written=write_, there=there)
    return ExitCode.SUCCESS if found.operations or found.known else ExitCode.FAILURE


def _catalog(system: Path) -> Catalog | None:
    """Return the system's catalog, None where there is none yet; raise `InvalidSystemError` for one with mistakes."""
    if not system.is_dir():
        raise BadInputError(f"there is no folder `{shown(str(system))}`", hint="make it, or name another")
    if not (system / FILE).exists():
        return None
    loaded = load_system(system)
    if loaded.mistakes or loaded.catalog is None:
        raise InvalidSystemError(list(loaded.mistakes))
    return loaded.catalog


def _check_name(domain: str, service: str) -> None:
    try:
        SpiffeID.of_service(parse_trust_domain(domain), service)
        named = (
            service == service.lower() and all(each.isalnum() or each == "-" for each in service) and service.isascii()
        )
    except InvalidSpiffeIDError:
        named = False
    if not named or not service or service.strip("-") != service or len(service) > 63:  # noqa: PLR2004 - of a DNS label
        raise BadInputError(
            f"`{shown(service)}` cannot be the name of a service",
            hint="use lower-case letters, digits and dashes, 63 at most",
        )
