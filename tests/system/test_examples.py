"""Programs that nobody here wrote, exactly as published, behind Inward: every call of their traffic goes as it says."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system.guarded import Guarded, eventually, stop_and_look

from inward.cli.traffic import Planned, load_traffic, make
from inward.control.running import require_running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.record.call import Call

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TRAFFIC = load_traffic(EXAMPLES / "unmodified" / "traffic.json")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("examples")
    ignored = shutil.ignore_patterns(".inward", "var", "__pycache__")
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True, ignore=ignored)
    system = Guarded(folder / "unmodified", {})
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()
        shutil.rmtree(system.layout.run, ignore_errors=True)


def test_there_is_something_to_try() -> None:
    assert len(TRAFFIC) > 20
    assert {planned.expect for planned in TRAFFIC} >= {"allowed", "refused", "observed"}
    assert {"datasette", "packages", "httpbin", "products"} <= {planned.callee for planned in TRAFFIC}


@pytest.mark.parametrize("planned", TRAFFIC, ids=lambda planned: f"{planned.caller}-{planned.method}-{planned.url}")
def test_a_call_goes_as_expected(lab: Guarded, planned: Planned) -> None:
    made = make(lab.layout, require_running(lab.layout), planned)
    assert made.wrong == "", made


def test_the_programs_call_one_another_through_inward(lab: Guarded) -> None:
    """The analyst sets a price; `products` tells httpbin of it by a call of its own, with its own identity."""
    [planned] = [
        each for each in TRAFFIC if each.caller == "analyst" and each.method == "PUT" and each.expect == "allowed"
    ]

    def told() -> list[Call]:
        return [call for call in lab.calls() if (call.caller, call.callee) == ("products", "httpbin") and call.trace]

    before = len(told())
    assert make(lab.layout, require_running(lab.layout), planned).wrong == ""
    eventually("the call of products", lambda: len(told()) > before)
