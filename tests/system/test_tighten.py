"""A running system is tightened by what was called in it, and goes on."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system.guarded import Guarded, eventually, stop_and_look

from inward.cli.template import files

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = """\
@id("everybody") @reason("it was easier")
permit (principal, action in Action::"greeter:*", resource == Service::"greeter");
"""
GREETING = ("GET", "http://greeter/greetings/ada")
FORGETTING = ("DELETE", "http://greeter/greetings/ada")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Guarded]:
    content = {**files("company.test"), "policies/greeter.cedar": WIDE}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    made = Guarded(tmp_path / "system", content, {"PATH": path})
    try:
        yield made.start()
        assert list(stop_and_look(made)) == []
    finally:
        made.destroy()


def test_what_was_called_is_allowed_still_and_nothing_else(system: Guarded) -> None:
    for call in (GREETING, FORGETTING):
        assert system.inward("call", "visitor", *call).returncode == 0

    eventually("both in the record", lambda: sum(call.caller == "visitor" for call in system.calls()) > 1)
    careful = json.loads(system.inward("tighten", "--json").stdout)
    assert (careful["files"], {each["kind"] for each in careful["callouts"]}) == ([], {"unsure"})
    done = system.inward("tighten", "--min-age", "0d", "--at-least", "0", "--write")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "written: policies/greeter.cedar"
    assert "one by one" not in done.stdout
    eventually("the refusal", lambda: system.inward("call", "greeter", *GREETING).returncode == 2)
    for call in (GREETING, FORGETTING):
        assert system.inward("call", "visitor", *call).returncode == 0
