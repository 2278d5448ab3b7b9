"""The runner: what it serves, what it puts a guard around, and what it refuses to start with."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from tests import forge
from tests.contract.guard.own_server import OWN, SYSTEM, TRUST_DOMAIN
from tests.contract.guard.people import DESCRIPTION, FILES, write

from inward.catalog.model import Address
from inward.envoy.log_folder import LogFolder
from inward.errors import BadInputError
from inward.guard.asgi import Guard
from inward.guard.bundle import BUNDLE, SERVICE, GuardError
from inward.guard.serve.__main__ import ApplicationError, configured, main
from inward.guard.serve.environment import Given
from inward.guard.serve.log import KIND
from inward.identity.private_files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.guard.serve.protocol import ServeConfig

MODULE = """
from inward.guard.asgi import Guard as ASGIGuard
from inward.guard.wsgi import Guard as WSGIGuard

async def plain(scope, receive, send): ...

class Flask:
    pass

def guarded():
    return ASGIGuard(plain)

flask = Flask()
flask.wsgi_app = WSGIGuard(lambda *_: [], allow_unguarded=True)
wsgi = WSGIGuard(lambda *_: [], allow_unguarded=True)
open = ASGIGuard(plain, allow_unguarded=True)
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What a service is told, and modules `served_here` and `served_guarded` to serve."""
    write(tmp_path, FILES | {"inward.yaml": SYSTEM, "people.json": json.dumps(DESCRIPTION)})
    folder = private_folder(tmp_path / "tls")
    issuer = forge.own_ca(TRUST_DOMAIN)
    chain, key = forge.good(issuer, str(OWN))
    for name, content in {"svid.pem": chain, "svid.key": key, "bundle.pem": issuer.pem}.items():
        write_private(folder / name, content)
    log = LogFolder(private_folder(tmp_path / "log"), KIND)
    log.switch()
    files = (folder / "svid.pem", folder / "svid.key", folder / "bundle.pem")
    given = Given(OWN, Address("127.0.0.1", 7002), *files, folder / "quarantine.json", log.symlink)
    (tmp_path / "served_here.py").write_text(MODULE)
    (tmp_path / "served_guarded.py").write_text("from served_here import guarded\napp = guarded()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {**given.variables(), SERVICE: "people", BUNDLE: str(tmp_path / "bundle")}
    for name in (SERVICE, BUNDLE):
        monkeypatch.delenv(name, raising=False)
    yield found
    for name in ("served_here", "served_guarded"):
        sys.modules.pop(name, None)


def guard_of(config: ServeConfig) -> Guard:
    guard = config.front._guard
    config.front.log.close()
    assert isinstance(guard, Guard)
    return guard


def told(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_an_application_is_served_with_a_guard_around_it(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, environment)
    plain = configured("served_here:plain", environment)
    assert getattr(guard_of(plain).app, "__name__", "") == "plain"
    assert (plain.address, plain.proxy_headers, plain.workers) == (Address("127.0.0.1", 7002), False, 1)
    guarded = guard_of(configured("served_guarded:app", environment))
    assert guarded is sys.modules["served_guarded"].app


@pytest.mark.parametrize("name", ["served_here:flask", "served_here:wsgi", "served_here:nothing", "nowhere:app", "app"])
def test_what_is_no_asgi_application_is_bad_input(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told(monkeypatch, environment)
    with pytest.raises(ApplicationError):
        configured(name, environment)


def test_an_application_that_guards_nothing_is_not_served(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INWARD_SERVICE", raising=False)
    monkeypatch.delenv("INWARD_BUNDLE", raising=False)
    with pytest.raises(GuardError, match="not one that serves TLS itself"):
        configured("served_here:open", environment)


def test_a_service_behind_an_envoy_is_not_served(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path, {"inward.yaml": FILES["inward.yaml"]})
    told(monkeypatch, environment)
    with pytest.raises(GuardError, match="not one that serves TLS itself"):
        configured("served_here:plain", environment)


@pytest.mark.parametrize("name", ["INWARD_SVID", "INWARD_QUARANTINE", "INWARD_LOG", "INWARD_LISTEN"])
def test_half_of_what_it_must_be_told_is_nothing(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told(monkeypatch, environment)
    with pytest.raises(GuardError, match=f"the environment has no `{name}`"):
        configured("served_here:plain", environment | {name: ""})


def test_a_mistake_is_told_in_one_line(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told(monkeypatch, environment)
    assert main(["nowhere:app"]) == BadInputError.exit_code
    assert capsys.readouterr().err == (
        'error: there is no application `nowhere:app`: could not import module "nowhere" '
        "(name it as `module:attribute`)\n"
    )
