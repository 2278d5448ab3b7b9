"""Signing beside a running system: what goes wrong with it is told, and stops nothing else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.unit.record.audit.log import call

from inward.authority.signing import load_verifier
from inward.control.layout import Layout
from inward.control.recording.signing import Signing
from inward.identity.private_files import private_folder
from inward.record.audit.notary import load_state
from inward.record.audit.verify import verify_record
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "inward.yaml").write_text("trust_domain: shop.internal\n")
    return Layout.of(tmp_path)


@pytest.fixture
def recorder(layout: Layout) -> Iterator[Recorder]:
    with Recorder(private_folder(layout.record)) as recorder:
        yield recorder


def test_what_is_durable_is_signed(layout: Layout, recorder: Recorder) -> None:
    told: list[str] = []
    signing = Signing(layout, recorder, "shop.internal", None, told.append)
    recorder.append([call(1), call(2)])
    signing.sign()
    found = verify_record(layout.record, load_verifier(layout.public_key), layout.signed)
    assert (found.size, found.unsigned, found.damages, told) == (2, 0, [], [])


def test_it_goes_on_by_itself(layout: Layout, recorder: Recorder) -> None:
    signing = Signing(layout, recorder, "shop.internal", None, pytest.fail)
    recorder.append([call(1)])

    async def signed() -> None:
        keeping = asyncio.create_task(signing.keep(0.01))
        while not layout.signed.exists():
            await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(signed(), 30))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("record.key", b"no key", "cannot be opened"),
        ("record/tree/state.json", b"{", "the state of the log"),
    ],
)
def test_what_it_cannot_begin_with_is_told_and_stops_nothing(
    layout: Layout, recorder: Recorder, name: str, content: bytes, why: str
) -> None:
    path = layout.state / name
    private_folder(path.parent)
    path.write_bytes(content)
    path.chmod(0o600)
    told: list[str] = []
    signing = Signing(layout, recorder, "shop.internal", None, told.append)
    recorder.append([call(1)])
    signing.sign()
    assert len(told) == 1
    assert told[0].startswith("the record is not signed: ")
    assert why in told[0]
    assert path.read_bytes() == content


def test_a_record_that_got_shorter_is_told_once(layout: Layout, recorder: Recorder) -> None:
    told: list[str] = []
    signing = Signing(layout, recorder, "shop.internal", None, told.append)
    recorder.append([call(1), call(2)])
    signing.sign()
    state = load_state(layout.record)
    for taken in state.segments.values():
        taken.size += 100  # as it was before somebody cut the segment
    (layout.record / "tree" / "state.json").write_bytes(msgspec.json.encode(state))
    again = Signing(layout, recorder, "shop.internal", None, told.append)
    again.sign()
    again.sign()
    assert len(told) == 1
    assert "shorter than it was: entries were taken out of the record" in told[0]


def test_until_when_everything_is_signed_is_known(layout: Layout, recorder: Recorder) -> None:
    signing = Signing(layout, recorder, "shop.internal", None, pytest.fail)
    assert (signing.signed_until, signing.checkpoint_at, signing.checkpoint_size) == (None, None, None)
    recorder.append([call(1), call(2)])
    signing.sign()
    signed = signing.signed_until
    assert signed is not None
    assert (signing.checkpoint_at, signing.checkpoint_size) == (signed, 2)
    signing.sign()  # nothing is new: what there is is signed until now all the same
    assert signing.signed_until is not None
    assert signing.signed_until > signed
    assert (signing.checkpoint_at, signing.checkpoint_size) == (signed, 2)


def test_what_is_not_signed_any_more_does_not_pass_for_signed(layout: Layout, recorder: Recorder) -> None:
    told: list[str] = []
    signing = Signing(layout, recorder, "shop.internal", None, told.append)
    recorder.append([call(1)])
    signing.sign()
    signed = signing.signed_until
    segment, _ = recorder.durable()
    (layout.record / segment).write_bytes(b"")
    signing._recorder = SimpleNamespace(durable=lambda: (segment, 0))  # type: ignore[assignment] # one that lost it
    signing.sign()
    signing.sign()
    assert len(told) == 1
    assert signing.signed_until == signed
