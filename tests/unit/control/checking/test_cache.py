from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from inward.catalog.kept import Described, DocumentMemo, Kept, KeptOperations
from inward.catalog.model import Parameter
from inward.catalog.protobuf import compiler
from inward.control.bundle import SystemMemo
from inward.control.checking import cache as module
from inward.control.checking.cache import CheckCache, CheckMemo, cache_folder, load_known
from inward.control.checking.parts import Findings
from inward.control.checking.steps import check
from inward.control.findings import Finding
from inward.envoy.resources.render import SlowCell
from inward.envoy.resources.slow_cells import Verdicts
from inward.errors import Place
from inward.policy.loading.load import Memo

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = hashlib.sha256(b"").digest()
SLOW: dict[str, tuple[SlowCell, ...]] = {"d": (SlowCell("visitor", "greeter:get", "a construct"),), "e": ()}
POSTURE: dict[str, tuple[Finding, ...]] = {
    "f": (Finding("note", "redundant", Place("policies/a.cedar", 3), "it does nothing", "take it out", "a"),)
}


def memo() -> CheckMemo:
    kept = Kept("0" * 64, 1, msgspec.Raw(b'{"a":[1]}'), msgspec.Raw(b"[[1,[2]]]"))
    parameters = (Parameter("id", "path", "string", required=True),)
    operations = KeptOperations("1" * 64, [Described("get", "GET", "/{id}", parameters, deprecated=False, line=7)])
    return CheckMemo(
        SystemMemo(
            DocumentMemo({"a.yaml": kept}, {"b.yaml": operations}, keeps=True, compiled={"3" * 64: b"\x00\xff"}),
            Memo(valid={DIGEST}, spans={"2" * 64: [(1, 0, 9)]}),
        ),
        Verdicts(used=SLOW),
        Findings(used=POSTURE),
    )


def known(found: CheckMemo) -> tuple[object, ...]:
    documents, policies = found.system.documents, found.system.policies
    return (
        msgspec.json.encode(documents.kept),
        documents.operations,
        documents.compiled,
        policies.valid,
        policies.spans,
        found.verdicts.kept,
        found.posture.kept,
    )


NOTHING = known(CheckMemo())


def stored(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "caches" / "inward"


@pytest.fixture
def cache(folder: Path, tmp_path: Path) -> CheckCache:
    """The cache of a system, with something in it."""
    made = CheckCache(folder, tmp_path)
    assert known(made.load()) == NOTHING
    made.store(memo())
    assert not made.problem
    return made


def load(cache: CheckCache, folder: Path, tmp_path: Path) -> CheckMemo:
    del cache
    return CheckCache(folder, tmp_path).load()


def test_what_was_stored_is_loaded(cache: CheckCache, folder: Path, tmp_path: Path) -> None:
    found = load(cache, folder, tmp_path)
    assert known(found) == (
        msgspec.json.encode(memo().system.documents.kept),
        memo().system.documents.operations,
        memo().system.documents.compiled,
        {DIGEST},
        {"2" * 64: [(1, 0, 9)]},
        SLOW,
        POSTURE,
    )
    assert found.system.documents.keeps


def test_it_is_private(cache: CheckCache, folder: Path) -> None:
    del cache
    assert folder.stat().st_mode & 0o777 == 0o700
    assert stored(folder).stat().st_mode & 0o777 == 0o600


def test_each_system_has_its_own(cache: CheckCache, folder: Path, tmp_path: Path) -> None:
    del cache
    assert known(CheckCache(folder, tmp_path / "other").load()) == NOTHING


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o750, 0o705])
def test_a_folder_that_is_open_to_others_is_not_used(
    cache: CheckCache, folder: Path, tmp_path: Path, mode: int
) -> None:
    before = stored(folder).read_bytes()
    folder.chmod(mode)
    opened = CheckCache(folder, tmp_path)
    assert known(opened.load()) == NOTHING
    assert "open to other accounts" in opened.problem
    opened.store(CheckMemo())
    assert stored(folder).read_bytes() == before
    del cache


def test_a_file_that_others_could_write_is_not_used(cache: CheckCache, folder: Path, tmp_path: Path) -> None:
    stored(folder).chmod(0o622)
    assert known(load(cache, folder, tmp_path)) == NOTHING


def test_a_link_is_not_followed(cache: CheckCache, folder: Path, tmp_path: Path) -> None:
    path = stored(folder)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert known(load(cache, folder, tmp_path)) == NOTHING


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_folder_of_somebody_else_is_not_used(cache: CheckCache, folder: Path, tmp_path: Path) -> None:
    os.chown(folder, 65534, 65534)
    assert known(load(cache, folder, tmp_path)) == NOTHING


def test_a_damaged_file_is_as_if_it_were_not_there(cache: CheckCache, folder: Path, tmp_path: Path) -> None:
    path = stored(folder)
    whole = path.read_bytes()
    damaged = [whole[:-1], whole + b" ", whole[1:], b"", b"\n", b"a" * 64 + b"\n{}"]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    for content in damaged:
        path.write_bytes(content)
        assert known(load(cache, folder, tmp_path)) == NOTHING, content
    path.write_bytes(whole)
    assert known(load(cache, folder, tmp_path)) != NOTHING


@pytest.mark.parametrize(
    "change", [{"valid": ["no digest"]}, {"documents": {"a": 1}}, {"posture": {"f": [{}]}}, {"made_by": "another"}]
)
def test_a_whole_file_that_says_something_else_is_not_used(
    cache: CheckCache, folder: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    path = stored(folder)
    content = msgspec.json.decode(path.read_bytes()[65:]) | change
    body = msgspec.json.encode(content)
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    assert known(load(cache, folder, tmp_path)) == NOTHING


@pytest.mark.parametrize("what", ["version", "code"])
def test_what_other_code_or_libraries_made_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    package = tmp_path / "inward"
    package.mkdir()
    (package / "module.py").write_text("a = 1")
    versions = dict.fromkeys(module._LIBRARIES, "1")
    monkeypatch.setattr("inward.__file__", str(package / "__init__.py"))
    monkeypatch.setattr(module, "version", versions.__getitem__)
    monkeypatch.setattr(module, "made_by", module.made_by.__wrapped__)  # looked at anew each time
    cache = CheckCache(folder, tmp_path)
    cache.load()
    cache.store(memo())
    assert known(CheckCache(folder, tmp_path).load()) != NOTHING
    if what == "version":
        versions["cedarpy"] = "2"
    else:
        (package / "module.py").write_text("a = 2")
    assert known(CheckCache(folder, tmp_path).load()) == NOTHING


def test_a_place_that_cannot_be_written_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "caches").write_text("a file")
    cache = CheckCache(tmp_path / "caches" / "inward", tmp_path)
    assert known(cache.load()) == NOTHING
    assert cache.problem
    cache.store(memo())


def test_the_same_is_not_written_again(cache: CheckCache, folder: Path, tmp_path: Path) -> None:
    del cache
    before = stored(folder).stat().st_ino
    again = CheckCache(folder, tmp_path)
    again.load()
    again.store(memo())
    assert stored(folder).stat().st_ino == before
    again.store(CheckMemo())
    assert stored(folder).stat().st_ino != before


def test_one_that_is_too_large_is_not_kept(
    cache: CheckCache, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    other = CheckCache(folder, tmp_path / "other")
    other.store(memo())
    assert len(list(folder.iterdir())) == 1
    assert known(load(cache, folder, tmp_path)) == NOTHING


def test_the_oldest_is_forgotten(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SYSTEMS", 2)
    for number in range(4):
        cache = CheckCache(folder, tmp_path / str(number))
        cache.load()
        cache.store(memo())
        for path in folder.iterdir():
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 10**9))
    assert [known(CheckCache(folder, tmp_path / str(number)).load()) == NOTHING for number in range(4)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/inward"),
        ({"HOME": "/h"}, "/h/.cache/inward"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/inward"),
        ({"XDG_CACHE_HOME": "", "HOME": ""}, "None"),
        ({}, "None"),
    ],
)
def test_caches_lie_where_the_specification_says(environment: dict[str, str], expected: str) -> None:
    assert str(cache_folder(environment)) == expected


@pytest.mark.parametrize("kept", [True, False])
def test_a_command_that_only_tells_compiles_nothing_that_a_check_has_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    folder, environment = tmp_path / "described", {"XDG_CACHE_HOME": str(tmp_path / "caches")}
    text = 'syntax = "proto3"; message M {} service S { rpc Get(M) returns (M); }'
    api = "services: {greeter: {owner: team-a, api: a.proto, listen: '127.0.0.1:0'}}"
    folder.mkdir()
    (folder / "a.proto").write_text(text)
    (folder / "inward.yaml").write_text(f"trust_domain: company.test\n{api}\n")
    caches = cache_folder(environment)
    assert caches is not None
    if kept:
        check(folder, datetime(2026, 6, 1, tzinfo=UTC), cache=CheckCache(caches, folder))
    before = [path.read_bytes() for path in caches.iterdir()] if kept else []
    compiled: list[object] = []
    run = compiler._run

    def counted(sources: object) -> object:
        compiled.append(sources)
        return run(sources)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(compiler, "_run", counted)
    assert "greeter:S/Get" in load_known(folder, environment).catalog.operations
    assert len(compiled) == (0 if kept else 1)
    assert [path.read_bytes() for path in caches.iterdir()] == before
    (folder / "a.proto").write_text(text.replace("Get", "Put"))
    assert "greeter:S/Put" in load_known(folder, environment).catalog.operations
    assert "greeter:S/Put" in load_known(folder, {}).catalog.operations
