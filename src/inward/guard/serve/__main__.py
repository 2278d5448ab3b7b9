"""`python -m inward.guard.serve shop.orders:app`: serves an ASGI application, guarded, over mutual TLS.

`inward up` tells by the environment who the service is, where it listens, and where its identity, the policies, the
list of services in quarantine and the log lie. An application without a guard around it is given one.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string

from inward.errors import BadInputError, InwardError
from inward.guard.asgi import Guard
from inward.guard.bundle import GuardError
from inward.guard.serve.environment import Given
from inward.guard.serve.front import Front
from inward.guard.serve.identity import FollowedIdentity, IdentityFiles
from inward.guard.serve.log import CallLog
from inward.guard.serve.protocol import ServeConfig
from inward.guard.serve.quarantine import FollowedQuarantine
from inward.guard.wsgi import Guard as WSGIGuard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ApplicationError(BadInputError):
    """There is no ASGI application of that name."""

    code = "application"


def configured(application: str, environment: Mapping[str, str]) -> ServeConfig:
    """Return the server of an application, such as `shop.orders:app`, as the environment says. Raises `InwardError`."""
    try:
        loaded = import_from_string(application)
    except ImportFromStringError as error:
        said = str(error).rstrip(".")
        raise ApplicationError(
            f"there is no application `{application}`: {said[:1].lower()}{said[1:]}",
            hint="name it as `module:attribute`",
        ) from error
    if isinstance(loaded, WSGIGuard) or isinstance(getattr(loaded, "wsgi_app", None), WSGIGuard):
        raise ApplicationError(
            f"`{application}` is a WSGI application, and this serves ASGI ones",
            hint="let it listen on `{socket}` behind an Envoy: `guard: true`",
        )
    guard = loaded if isinstance(loaded, Guard) else Guard(loaded)
    if guard.bundle is None or not guard.bundle.follow().service.serves_tls:
        raise GuardError(
            "this service is not one that serves TLS itself, and its Envoy would not find it",
            hint="write `guard: tls` into inward.yaml, or serve it on `{socket}`",
        )
    given = Given.parse(environment)
    identity = FollowedIdentity(IdentityFiles(given.svid, given.key, given.bundle), given.spiffe_id)
    front = Front(guard, FollowedQuarantine(given.quarantine, given.spiffe_id), CallLog(given.log))
    return ServeConfig(front, identity, given.listen)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m inward.guard.serve", description=__doc__)
    parser.add_argument("application", help="`module:attribute` of an ASGI application")
    given = parser.parse_args(arguments)
    sys.path.insert(0, "")
    try:
        config = configured(given.application, os.environ)
    except InwardError as error:
        # one line: it is the last one that `inward up` tells of a program that has ended
        sys.stderr.write(f"error: {error.advice}\n")
        return error.exit_code
    sys.stderr.write(f"{given.application} takes calls at https://{config.address} as {config.identity.spiffe_id}\n")
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
