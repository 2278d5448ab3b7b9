"""A system in another folder or in a revision: real repositories, and trees that git itself would not make."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.control import revision
from inward.control.bundle import load_policy
from inward.control.revision import RevisionError, load_revision
from inward.errors import InvalidSystemError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORDERS = "policies/orders.cedar"
FORBID = '@id("never") @reason("r") forbid (principal, action, resource);\n'


class Git:
    """A git repository with one person who commits."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self("init", "--quiet", "--initial-branch=main", ".")

    def __call__(self, *arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "protocol.file.allow=always"]
        done = subprocess.run(["git", *identity, *arguments], cwd=self.top, capture_output=True, check=True)  # noqa: S607 - the one on the PATH
        return done.stdout.decode().strip()

    def commit(self) -> str:
        self("add", "--all")
        self("commit", "--quiet", "--allow-empty", "-m", "m")
        return self("rev-parse", "HEAD")

    def tree(self, *entries: tuple[str, str, bytes]) -> str:
        """Write a tree that `git mktree` would refuse; return its object."""
        body = b"".join(
            f"{mode} {name}".encode() + b"\0" + bytes.fromhex(self.object(b"blob", content))
            for mode, name, content in entries
        )
        return self.object(b"tree", body)

    def object(self, kind: bytes, content: bytes) -> str:
        whole = kind + b" %d\0" % len(content) + content
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        path = self.top / ".git/objects" / name[:2] / name[2:]
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(zlib.compress(whole))
        return name

    def commit_tree(self, tree: str) -> str:
        return self("commit-tree", "-m", "m", tree)


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


@pytest.fixture
def git(system: Path) -> Git:
    """The repository of `system`, which is one commit."""
    found = Git(system)
    found.commit()
    return found


def ids(system: Path, text: str | None) -> set[str]:
    return set(load_revision(system, text).policies.by_id)


def mistakes(system: Path, text: str) -> str:
    with pytest.raises(InvalidSystemError) as raised:
        load_revision(system, text)
    return "\n".join(map(str, raised.value.mistakes))


def refusal(system: Path, text: str) -> RevisionError:
    with pytest.raises(RevisionError) as raised:
        load_revision(system, text)
    assert "\n" not in raised.value.message + raised.value.hint
    return raised.value


def test_a_revision_is_what_was_committed(system: Path, git: Git) -> None:
    first = load_policy(system)
    (system / ORDERS).write_text(shop.GRANT + shop.policy("second"))
    git.commit()
    (system / ORDERS).write_text("this is not committed, and no policy")
    assert ids(system, "HEAD") == {"checkout-reads-orders", "second"}
    assert ids(system, "main~1") == {"checkout-reads-orders"}
    assert load_revision(system, "main~1").version == first.version
    git("tag", "-a", "-m", "m", "v1", "main~1")
    assert ids(system, "v1") == {"checkout-reads-orders"}


def test_nothing_of_the_repository_is_touched(system: Path, git: Git) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        files = (path for path in system.rglob("*") if path.is_file())
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    (system / ORDERS).write_text(shop.GRANT + "// changed\n")
    before = state()
    load_revision(system, "HEAD")
    assert state() == before
    del git


def test_the_folder_itself_and_another_folder(system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(system, None) == {"checkout-reads-orders"}
    shop.write(tmp_path / "other", shop.files({ORDERS: shop.policy("other")}))
    monkeypatch.chdir(tmp_path)
    assert ids(system, "other") == {"other"}
    assert ids(system, str(tmp_path / "other")) == {"other"}
    (tmp_path / "link").symlink_to("other")
    assert ids(system, "link/") == {"other"}


def test_a_folder_comes_before_a_revision_of_its_name_if_it_holds_a_system(
    system: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(system)
    git("branch", "other")
    (system / "other").mkdir()
    assert ids(system, "other") == {"checkout-reads-orders"}
    shop.write(system / "other", shop.files({ORDERS: shop.policy("of-the-folder")}))
    assert ids(system, "other") == {"of-the-folder"}


def test_a_system_that_is_a_folder_of_its_repository(tmp_path: Path) -> None:
    git = Git(tmp_path)
    system = shop.write(tmp_path / "deep down" / "the:system", shop.files())
    (tmp_path / "inward.yaml").write_text("something else")
    git.commit()
    (system / ORDERS).unlink()
    assert ids(system, "HEAD") == {"checkout-reads-orders"}


def test_a_system_that_was_not_there_yet(tmp_path: Path) -> None:
    git = Git(tmp_path)
    (tmp_path / "README").write_text("r")
    git.commit()
    system = shop.write(tmp_path / "sys", shop.files())
    git.commit()
    assert "the folder `sys` is not in the revision `HEAD~1`" in refusal(system, "HEAD~1").message
    shutil.rmtree(system)
    system.write_text("a file now")
    git.commit()
    system.unlink()
    shop.write(system, shop.files())
    assert "the folder `sys` is not in" in refusal(system, "HEAD").message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "HEAD~9",
        "main..main",
        "-h",
        "--all",
        "HEAD:inward.yaml",
        "a\0b",
        "x" * 100_000,
        "\udcff",
        "a\nb",
        "/",
    ],
)
def test_what_names_nothing(system: Path, git: Git, text: str) -> None:
    error = refusal(system, text)
    assert "no system folder and no revision" in error.message
    assert len(error.message) < 300
    del git


def test_no_repository_and_no_git(system: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = refusal(system, "main")
    assert "git finds no repository" in error.message
    assert "not a git repository" in error.hint
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "there is no git" in refusal(system, "main").message


def test_a_shallow_clone_says_what_to_fetch(system: Path, git: Git, tmp_path: Path) -> None:
    git.commit()
    git("clone", "--quiet", "--depth=1", f"file://{system}", str(tmp_path / "clone"))
    assert "git fetch" in refusal(tmp_path / "clone", "HEAD~1").hint
    assert ids(tmp_path / "clone", "HEAD") == {"checkout-reads-orders"}


def test_mistakes_say_in_which_system_they_are(
    system: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (system / ORDERS).write_text("\n\npermit(principal, action, resource);")
    git.commit()
    (system / ORDERS).write_text(shop.GRANT)
    assert mistakes(system, "main").startswith("main:policies/orders.cedar:3: ")
    monkeypatch.chdir(tmp_path)
    shop.write(tmp_path / "other", shop.files({ORDERS: "permit("}))
    assert mistakes(system, "other/").startswith("other/policies/orders.cedar:1: ")


def test_what_a_repository_says_to_run_is_not_run(
    system: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filters, hooks, a file-system monitor, pagers, aliases; and variables that point git somewhere else."""
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    (system / ".gitattributes").write_text("* filter=trap diff=trap ident export-subst eol=crlf\n")
    git.commit()
    for name in ("core.fsmonitor", "filter.trap.smudge", "filter.trap.process", "diff.trap.textconv", "core.pager"):
        git("config", name, str(trap))
    for name in ("alias.ls-tree", "alias.cat-file", "alias.rev-parse"):
        git("config", name, f"!{trap}")
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        shutil.copy(trap, system / ".git/hooks" / hook)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_PAGER", str(trap))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere"))
    found = load_revision(system, "HEAD")
    assert found.files[ORDERS] == shop.GRANT.encode()
    assert not (tmp_path / "sprung").exists()


def test_a_replaced_object_is_not_what_its_hash_says(system: Path, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    (system / ORDERS).write_text(shop.policy("other"))
    git("replace", first, git.commit())
    assert ids(system, first) == {"checkout-reads-orders"}


def test_links_within_the_folder_are_followed(system: Path, git: Git) -> None:
    (system / "apis").rename(system / "described")
    (system / "apis").symlink_to("described")
    (system / "policies").rename(system / "rules")
    (system / "policies").symlink_to("rules")
    (system / "rules/orders.cedar").rename(system / "kept.cedar")
    (system / "hop.cedar").symlink_to("./kept.cedar")
    (system / "rules/orders.cedar").symlink_to(".././hop.cedar")
    git.commit()
    assert ids(system, "HEAD") == {"checkout-reads-orders"}


@pytest.mark.parametrize("name", ["policies/audit.cedar", "guardrails.cedar", "policies"])
@pytest.mark.parametrize("target", ["{outside}", "../outside.cedar", "nothing", ".git/config", "{self}"])
def test_a_policy_behind_a_link_out_of_the_folder_is_a_mistake(system: Path, git: Git, name: str, target: str) -> None:
    """Left out, a forbid would not apply."""
    outside = system.parent / "outside.cedar"
    outside.write_text(FORBID)
    if name == "policies":
        shutil.rmtree(system / name)
    (system / name).symlink_to(target.format(outside=outside, self=system / name))
    git.commit()
    assert f"HEAD:{name}: `{name}` is a link out of the system folder" in mistakes(system, "HEAD")


def test_other_links_out_of_the_folder_are_left_out(system: Path, git: Git, tmp_path: Path) -> None:
    shutil.copy(system / "apis/audit.json", tmp_path / "audit.json")
    (system / "notes").symlink_to("/etc/passwd")
    (system / "policies/README").symlink_to("/etc/passwd")
    git.commit()
    assert ids(system, "HEAD") == {"checkout-reads-orders"}
    (system / "apis/audit.json").unlink()
    (system / "apis/audit.json").symlink_to(tmp_path / "audit.json")
    git.commit()
    assert "`apis/audit.json` does not exist" in mistakes(system, "HEAD")


def test_a_submodule_is_named(system: Path, git: Git, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    rules = Git(tmp_path / "rules")
    (tmp_path / "rules/audit.cedar").write_text("")
    rules.commit()
    git("submodule", "--quiet", "add", str(tmp_path / "rules"), "vendor")
    git.commit()
    assert ids(system, "HEAD") == {"checkout-reads-orders"}
    (system / ORDERS).unlink()
    (system / "policies").rmdir()
    git("add", "--all")
    git("submodule", "--quiet", "add", str(tmp_path / "rules"), "policies")
    git.commit()
    assert "HEAD:policies: `policies` is a submodule" in mistakes(system, "HEAD")


def evil(name: str) -> Callable[[Git, Path], str]:
    return lambda git, _: git.tree(("100644", name, b"x"))


def twice(git: Git, outside: Path) -> str:
    inner = bytes.fromhex(git.tree(("100644", "x.cedar", FORBID.encode())))
    link = bytes.fromhex(git.object(b"blob", str(outside).encode()))
    return git.object(b"tree", b"120000 policies\0" + link + b"40000 policies\0" + inner)


def link_and_link(git: Git, outside: Path) -> str:
    inner = bytes.fromhex(git.tree(("120000", "x.cedar", b"/etc/passwd")))
    link = bytes.fromhex(git.object(b"blob", str(outside).encode()))
    return git.object(b"tree", b"120000 policies\0" + link + b"40000 policies\0" + inner)


@pytest.mark.parametrize(
    "make",
    [
        evil("../out.cedar"),
        evil("/out.cedar"),
        evil("a/../../out.cedar"),
        twice,
        link_and_link,
        lambda git, _: git.tree(("120000", "policies", b"a\0b")),
        lambda git, _: git.tree(("120000", "policies", b"")),
        lambda git, _: git.tree(("100644", "a.cedar", b"x"), ("100644", "a.cedar", b"x")),
        lambda git, _: git.tree(("100644", "x" * 300 + ".cedar", b"x")),
    ],
)
def test_a_tree_that_git_would_not_make_writes_nothing_outside(
    system: Path, git: Git, tmp_path: Path, make: Callable[[Git, Path], str]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    commit = git.commit_tree(make(git, outside))
    error = refusal(system, commit)
    assert "cannot be copied" in error.message or "git cannot read" in error.message
    assert list(outside.iterdir()) == []


def test_what_a_partial_clone_has_not_is_not_fetched(system: Path, git: Git, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    name = git("rev-parse", f"HEAD:{ORDERS}")
    for setting, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", str(tmp_path / "gone")),
        ("remote.origin.uploadpack", str(trap)),
        ("protocol.file.allow", "always"),
    ):
        git("config", setting, value)
    (system / ".git/objects" / name[:2] / name[2:]).unlink()
    assert "in a partial clone, fetch it first" in refusal(system, "HEAD").hint
    assert not (tmp_path / "sprung").exists()


def test_an_object_that_is_missing_or_damaged(system: Path, git: Git) -> None:
    name = git("rev-parse", f"HEAD:{ORDERS}")
    (system / ".git/objects" / name[:2] / name[2:]).unlink()
    assert "git has not the content of `policies/orders.cedar`" in refusal(system, "HEAD").message
    name = git("rev-parse", "HEAD:policies")
    (system / ".git/objects" / name[:2] / name[2:]).unlink()
    assert "git cannot read `HEAD`" in refusal(system, "HEAD").message


@pytest.mark.parametrize(("bound", "value"), [("MAX_FILES", 3), ("MAX_BYTES", 1000), ("MAX_ENTRIES", 3)])
def test_what_is_read_is_bounded(
    system: Path, git: Git, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(revision, bound, value)
    assert f"more than {value:,} " in refusal(system, "HEAD").message
    del git


def test_what_is_no_part_of_a_system_is_not_copied(
    system: Path, git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(50):
        (system / f"{number}.bin").write_bytes(b"\0" * 100)
    git.commit()
    monkeypatch.setattr(revision, "MAX_FILES", 10)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    assert ids(system, "HEAD") == {"checkout-reads-orders"}
    assert set(tmp_path.iterdir()) == before


def test_descriptions_of_grpc_services_are_read_of_a_revision(tmp_path: Path) -> None:
    inward = "trust_domain: a.test\nservices: {orders: {owner: t, api: a.proto, listen: '127.0.0.1:0'}}\n"
    service = "message M {}\nservice S { rpc G(M) returns (M); }\n"
    git = Git(shop.write(tmp_path / "grpc", {"inward.yaml": inward, "a.proto": f'syntax = "proto3";\n{service}'}))
    git.commit()
    (rpc,) = (each.rpc for each in load_revision(git.top, "main").catalog.operations.values())
    assert rpc is not None
    (git.top / "a.binpb").write_bytes(rpc.descriptors)
    (git.top / "inward.yaml").write_text(inward.replace("a.proto", "a.binpb"))
    git.commit()
    assert set(load_revision(git.top, "main").catalog.operations) == {"orders:S/G"}
