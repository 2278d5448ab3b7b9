"""Identities of a run: bundles before SVIDs, renewal in time, and one that fails keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from tests.unit.envoy import shop

from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore
from inward.authority.settings import AuthoritySettings
from inward.control.run import identities as module
from inward.control.run.identities import Identities
from inward.envoy.folder import EnvoyFolder
from inward.errors import InwardError
from inward.identity.bundle import TrustBundle
from inward.identity.spiffe_id import SpiffeID
from inward.identity.svid import X509SVID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inward.control.run.events import Event
    from inward.envoy.resources.proto import Resource

NOON = datetime(2030, 6, 15, 12, tzinfo=UTC)
SETTINGS = AuthoritySettings(svid_ttl=timedelta(hours=1), ca_ttl=timedelta(hours=24))


class Clock(datetime):
    """A clock that stands at noon."""

    moment = NOON

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # it has one time zone
        del tz
        return cls.moment


class Folder(EnvoyFolder):
    """Tells in which order files are written, by all folders together."""

    order: list[str]

    def write(self, name: str, resources: Sequence[Resource], version: str | None = None) -> bool:
        changed = super().write(name, resources, version)
        if changed:
            self.order.append(f"{self.path.name}/{name}")
        return changed


class Rig:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Event] = []
        self.order: list[str] = []
        self.noted: list[tuple[str, str, str]] = []
        store = FolderKeyStore(path / "keys")
        self.authority = Authority("shop.internal", store, SETTINGS)
        self.identities = Identities(self.authority, self.told.append, lambda *act: self.noted.append(act))

    def folder(self, name: str) -> Folder:
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        found = Folder(path)
        found.order = self.order
        return found

    def want(self, *names: str) -> dict[str, Folder]:
        folders = {name: self.folder(name) for name in names}
        wanted: dict[str, tuple[SpiffeID, EnvoyFolder]] = {
            name: (SpiffeID.of_service("shop.internal", name), folder) for name, folder in folders.items()
        }
        self.identities.want(wanted)
        return folders

    def serial(self, name: str) -> str:
        return str(msgspec.json.decode((self.path / name / "svid.json").read_bytes())["version_info"])


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(module, "datetime", Clock)
    return Rig(tmp_path)


def test_every_bundle_is_written_before_any_svid(rig: Rig) -> None:
    rig.want("a", "b", "c")
    assert rig.order == ["a/bundle.json", "b/bundle.json", "c/bundle.json", "a/svid.json", "b/svid.json", "c/svid.json"]


def test_a_key_is_only_in_the_private_file_of_its_service(rig: Rig) -> None:
    rig.want("a", "b")
    keys = set()
    for name in ("a", "b"):
        file = rig.path / name / "svid.json"
        assert file.stat().st_mode & 0o777 == 0o600
        (secret,) = msgspec.json.decode(file.read_bytes())["resources"]
        keys.add(secret["tls_certificate"]["private_key"]["inline_string"])
        assert "PRIVATE KEY" not in (rig.path / name / "bundle.json").read_text()
    assert len(keys) == 2
    assert not any("PRIVATE" in event.text for event in rig.told)


def test_nothing_is_renewed_before_its_time_and_all_by_half_of_its_life(rig: Rig) -> None:
    rig.want("a", "b")
    first = {name: rig.serial(name) for name in "ab"}
    rig.identities.renew(NOON + timedelta(minutes=26))
    assert {name: rig.serial(name) for name in "ab"} == first
    following = rig.identities.renew(NOON + timedelta(minutes=30))
    assert all(rig.serial(name) != first[name] for name in "ab")
    assert NOON + timedelta(minutes=30) < following <= NOON + timedelta(minutes=60)


def test_it_looks_again_when_the_first_is_due(rig: Rig) -> None:
    rig.want("a", "b")
    following = rig.identities.renew(NOON)
    assert NOON + timedelta(minutes=27) <= following <= NOON + timedelta(minutes=30)


def test_a_clock_that_was_set_back_renews(rig: Rig) -> None:
    rig.want("a")
    first = rig.serial("a")
    rig.identities.renew(NOON - timedelta(hours=2))
    assert rig.serial("a") != first


def test_a_new_ca_is_in_every_bundle_before_it_signs(rig: Rig) -> None:
    rig.want("a", "b")
    moment, signers = NOON, set()
    while moment < NOON + timedelta(hours=30):
        before = len(rig.order)
        moment = max(rig.identities.renew(moment), moment + timedelta(minutes=1))
        is_bundle = [name.endswith("bundle.json") for name in rig.order[before:]]
        assert is_bundle == sorted(is_bundle, reverse=True)
        for name in "ab":
            chain, bundle = (pem_of(rig.path / name / file) for file in ("svid.json", "bundle.json"))
            authorities = x509.load_pem_x509_certificates(bundle)
            leaf = x509.load_pem_x509_certificates(chain)[0]
            signers.add(next(authority.serial_number for authority in authorities if is_signed_by(leaf, authority)))
    assert len(signers) > 1  # it was rolled over
    assert next(event.data["authorities"] for event in rig.told if event.kind == "identity") == 2


def pem_of(file: Path) -> bytes:
    (secret,) = msgspec.json.decode(file.read_bytes())["resources"]
    texts = [str(value) for path, value in shop.walk(secret) if path[-1:] == ("inline_string",)]
    return next(text for text in texts if "PRIVATE" not in text).encode()


def is_signed_by(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_a_service_that_is_wanted_no_more_is_forgotten(rig: Rig) -> None:
    rig.want("a", "b")
    first = rig.serial("b")
    rig.want("a")
    rig.identities.renew(NOON + timedelta(minutes=30))
    assert rig.serial("b") == first
    rig.want("a", "b")
    assert rig.serial("b") != first


def test_one_folder_that_cannot_be_written_keeps_nobody_else_waiting(rig: Rig) -> None:
    """Without this one lost folder would let every identity after it in the list expire."""
    rig.want("a", "b", "c")
    first = {name: rig.serial(name) for name in "ac"}
    (rig.path / "b").chmod(0o755)
    later = NOON + timedelta(minutes=30)
    rig.identities.renew(later)
    assert all(rig.serial(name) != first[name] for name in "ac")
    (warning,) = [event for event in rig.told if event.kind == "warning"]
    assert warning.data == {"service": "b"}
    assert "b cannot be given its identity" in warning.text
    (rig.path / "b").chmod(0o700)
    before = rig.serial("b")
    rig.identities.renew(later + module.LONGEST_SLEEP)
    assert rig.serial("b") != before


def test_a_next_ca_that_cannot_be_prepared_stops_no_renewal(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.want("a")
    first = rig.serial("a")

    def full(_: datetime) -> bool:
        raise InwardError("the disk is full")

    monkeypatch.setattr(rig.authority, "tick", full)
    rig.identities.renew(NOON + timedelta(minutes=30))
    assert rig.serial("a") != first
    assert [event.text for event in rig.told if event.kind == "warning"] == [
        "the next authority cannot be prepared: the disk is full"
    ]


def test_want_and_renew_take_turns(rig: Rig) -> None:
    """Two threads that both write an SVID would leave a folder whose file is not the one it believes it wrote."""
    folders = rig.want("a", "b", "c")
    stop = threading.Event()
    errors: list[Exception] = []

    def renew() -> None:
        moment = NOON
        while not stop.is_set():
            moment += timedelta(minutes=31)
            try:
                rig.identities.renew(moment)
            except Exception as error:  # noqa: BLE001 - a thread's error would be lost
                errors.append(error)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        for _ in range(20):
            folders |= rig.want("a", "b", "c")
    finally:
        stop.set()
        thread.join()
    assert errors == []
    for name, folder in folders.items():
        assert folder.written["svid.json"] == rig.serial(name)


def test_it_keeps_on_renewing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError
        Clock.moment += timedelta(seconds=seconds)

    monkeypatch.setattr(Clock, "moment", NOON)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(rig.identities.keep())
    # a clock that jumps is noticed within a second
    assert pauses == [1.0, 1.0, 1.0]


def test_who_serves_tls_itself_is_given_pem_files_of_the_same_identity(rig: Rig) -> None:
    spiffe_id = SpiffeID.of_service("shop.internal", "a")
    wanted: dict[str, tuple[SpiffeID, EnvoyFolder]] = {"a": (spiffe_id, rig.folder("a"))}
    rig.identities.want(wanted)
    serial = rig.serial("a")
    rig.identities.want(wanted, {"a": rig.path / "a" / "tls"})  # what is held is written, and nothing is issued for it
    assert rig.serial("a") == serial
    files = {path.name: path.read_bytes() for path in (rig.path / "a" / "tls").iterdir()}
    svid = X509SVID.parse(files["svid.pem"], files["svid.key"])
    (secret,) = msgspec.json.decode((rig.path / "a" / "svid.json").read_bytes())["resources"]
    assert secret["tls_certificate"]["certificate_chain"]["inline_string"].encode() == svid.chain_pem
    assert TrustBundle.parse_pem(files["bundle.pem"], "shop.internal").authorities
    rig.identities.renew(NOON + timedelta(minutes=40))
    renewed = (rig.path / "a" / "tls" / "svid.pem").read_bytes()
    assert renewed != files["svid.pem"]
