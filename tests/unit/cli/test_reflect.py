"""`inward reflect`: what a server says is written down whole, in the system folder, or nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.cli import reflect as module
from inward.control.reflection import Reflected, ReflectionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...], bool]]:
    """A server in the place of a real one; return what it was asked."""
    questions: list[tuple[str, tuple[str, ...], bool]] = []

    def answer(target: str, only: Sequence[str], *, tls: bool, seconds: float) -> Reflected:
        assert seconds > 0
        questions.append((target, tuple(only), tls))
        if target == "nobody:1":
            raise ReflectionError("no server answers at `nobody:1`")
        return Reflected(b"descriptors", ("shop.Orders",))

    monkeypatch.setattr(module, "reflect_server", answer)
    return questions


def test_it_is_written_down_once(inward: Inward, system: Path, asked: list[object]) -> None:
    done = inward("reflect", "localhost:50051", "--output", "apis/../apis/orders.binpb")
    assert (done.code, done.out) == (0, "shop.Orders\n")
    assert done.err.splitlines() == [
        "wrote apis/orders.binpb",
        "a service names it in inward.yaml as its `api: apis/orders.binpb`",
    ]
    assert (system / "apis/orders.binpb").read_bytes() == b"descriptors"
    again = inward("reflect", "localhost:50051", "--output", "apis/orders.binpb", "--service", "shop.Orders", "--json")
    assert again.json == {"file": "apis/orders.binpb", "services": ["shop.Orders"], "changed": False}
    assert asked == [("localhost:50051", (), False), ("localhost:50051", ("shop.Orders",), False)]


@pytest.mark.parametrize("output", ["orders.yaml", "orders.proto", "../orders.binpb", "/orders.binpb", "a\0.binpb"])
def test_only_a_descriptor_set_in_the_folder_is_written(
    inward: Inward, system: Path, asked: list[object], output: str
) -> None:
    before = sorted(system.rglob("*"))
    done = inward("reflect", "localhost:50051", "--output", output)
    assert done.code == 3
    assert "is no descriptor set of the system folder" in done.err
    assert (asked, sorted(system.rglob("*"))) == ([], before)


def test_a_link_out_of_the_folder_is_not_written_through(inward: Inward, system: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.binpb"
    outside.write_bytes(b"mine")
    (system / "apis/orders.binpb").symlink_to(outside)
    assert inward("reflect", "localhost:50051", "--output", "apis/orders.binpb").code != 0
    assert outside.read_bytes() == b"mine"


def test_a_server_that_does_not_answer_leaves_everything(inward: Inward, system: Path) -> None:
    done = inward("reflect", "nobody:1", "--output", "apis/orders.binpb")
    assert (done.code, done.out) == (1, "")
    assert "no server answers at `nobody:1`" in done.err
    assert not (system / "apis/orders.binpb").exists()
