"""Loading a system as it stands elsewhere: in another folder, or in a revision of the git repository that keeps it.

A revision is read from git's objects, never checked out: no working tree is touched, no index, lock, hook, filter or
network. Rules:

1. What a person names is tried as a folder with an `inward.yaml`, relative to the current one, then as a revision.
2. Of a revision only the system's own folder is read, and in it only what a system can consist of.
3. Nothing leads out of the copy: a link out of the folder is left out, and is a mistake where a policy could be
   behind it, since a forbid that cannot be read must not be one that does not apply. So is a submodule.
4. What is read is bounded: `MAX_ENTRIES`, `MAX_FILES` and `MAX_BYTES`.

What it leaves out: remembering what was loaded. A revision is loaded once a command.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inward.catalog.document import shown
from inward.catalog.protobuf.descriptors import SUFFIXES as DESCRIPTOR_SUFFIXES
from inward.catalog.protobuf.sources import SUFFIX as PROTO_SUFFIX
from inward.catalog.system import FILE
from inward.control.bundle import Policy, load_policy
from inward.errors import BadInputError, InvalidSystemError, Mistake, Place
from inward.policy.loading.load import SUFFIX
from inward.policy.resources.load import SUFFIX as TYPES_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

MAX_ENTRIES = 2_000_000  # of the folder in git, looked at
MAX_FILES = 10_000  # copied
MAX_BYTES = 256 << 20  # of all files that are copied
MAX_NAME = 1_000  # characters of what a person names
_LINK, _SUBMODULE = "120000", "160000"  # modes of entries of a git tree
_SUFFIXES = (".yaml", ".yml", ".json", PROTO_SUFFIX, *DESCRIPTOR_SUFFIXES, SUFFIX, TYPES_SUFFIX)
_POLICIES = ("policies", "guardrails.cedar")
_KEPT = ("GIT_CONFIG", "GIT_CEILING_DIRECTORIES")  # how a person sets up git; all else points it at another repository
_SETTINGS: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a revision is what its hash says
    "GIT_NO_LAZY_FETCH": "1",  # and, for a git that does not know this yet, no protocol to fetch with:
    "GIT_ALLOW_PROTOCOL": "",
    "LC_ALL": "C",
}
_OPTIONS = ("--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")


class RevisionError(BadInputError):
    """What a person named is no system folder and no revision that holds one."""

    code = "revision"


def load_revision(system: Path, text: str | None) -> Policy:
    """Load the system that `text` names: a folder, or a git revision of the folder `system`; None is `system` itself.

    `text` is taken from the command line, `system` is a system folder, absolute and without links. Raises
    `RevisionError`, and `InvalidSystemError` whose places begin with what was named, as in
    `main:policies/orders.cedar:3`.
    """
    if text is None:
        return load_policy(system)
    folder = _folder(text)
    if folder is not None:
        with _named(lambda file: posixpath.join(shown(text), file)):
            return load_policy(folder.resolve())
    repository = _Repository(system, text)
    tree = repository.tree()
    with tempfile.TemporaryDirectory(prefix="inward-") as scratch, _named(lambda file: f"{shown(text)}:{file}"):
        copy = _Copy(Path(scratch).resolve())
        copy.take(repository, tree)
        return copy.load()


def _folder(text: str) -> Path | None:
    """Return the system folder of that path, or None where it is none."""
    try:
        return Path(text) if text and (Path(text) / FILE).is_file() else None
    except (OSError, ValueError):  # a name that is too long, a null character
        return None


@contextmanager
def _named(name: Callable[[str], str]) -> Iterator[None]:
    """Let the places of mistakes say in which system they are."""
    try:
        yield
    except InvalidSystemError as error:
        raise InvalidSystemError(
            [
                Mistake(Place(name(mistake.place.file), mistake.place.line), mistake.what, mistake.hint)
                for mistake in error.mistakes
            ]
        ) from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a tree: a file, a link or a submodule."""

    mode: str
    object: str
    name: str  # relative to the tree, with slashes


class _Repository:
    """The git repository in which the folder `system` lies, and the revision `text` of it."""

    def __init__(self, system: Path, text: str) -> None:
        self._system = system
        self._text = text

    def tree(self) -> str:
        """Return the object of the system's folder in the revision, or raise `RevisionError`."""
        named = f"`{shown(self._text)}`"
        if not self._text or len(self._text) > MAX_NAME or "\x00" in self._text:
            raise RevisionError(f"{named} is no system folder and no revision", hint="name a folder, or such as `main`")
        code, prefix, said = self._ask("rev-parse", "--show-prefix")
        if code:
            raise RevisionError(
                f"{named} is no system folder, and git finds no repository for `{shown(str(self._system))}`",
                hint=f"it says: {shown(said, 200)}",
            )
        code, commit, _ = self._ask("rev-parse", "--quiet", "--verify", "--end-of-options", f"{self._text}^{{commit}}")
        if code:
            _, shallow, _ = self._ask("rev-parse", "--is-shallow-repository")
            hint = "name a folder with an inward.yaml, or a revision such as `main` or `HEAD~3`"
            if shallow == "true":
                hint = "this clone is shallow: fetch the revision first, as in `git fetch --depth=1 origin main:main`"
            raise RevisionError(f"{named} is no system folder and no revision", hint=hint)
        prefix = prefix.rstrip("/")
        code, tree, _ = self._ask("rev-parse", "--quiet", "--verify", "--end-of-options", f"{commit}:{prefix}")
        if code or self._ask("cat-file", "-t", tree)[1] != "tree":
            raise RevisionError(
                f"the folder `{shown(prefix)}` is not in the revision {named}",
                hint="name a revision in which the system was there already",
            )
        return tree

    def entries(self, tree: str) -> Iterator[_Entry]:
        """Yield what is in a tree and below it, or raise `RevisionError` if that is too much."""
        with self._output("ls-tree", "-r", "-z", "--full-tree", tree) as output:
            rest, count = b"", 0
            while block := output.read(1 << 16):
                *lines, rest = (rest + block).split(b"\x00")
                count += len(lines)
                if count > MAX_ENTRIES:
                    raise RevisionError(f"the folder holds more than {MAX_ENTRIES:,} files in `{shown(self._text)}`")
                for line in lines:
                    facts, _, name = line.partition(b"\t")
                    mode, _, identifier = facts.decode("ascii").split(" ")
                    yield _Entry(mode, identifier, os.fsdecode(name))

    def contents(self, entries: Sequence[_Entry]) -> Iterator[tuple[_Entry, bytes]]:
        """Yield each entry with its bytes as they are stored, or raise `RevisionError` if they are too many."""
        size = 0
        with tempfile.TemporaryFile() as asked:
            asked.writelines(entry.object.encode("ascii") + b"\n" for entry in entries)
            asked.seek(0)
            with self._output("cat-file", "--batch", asked=asked) as output:
                for entry in entries:
                    head = output.readline().split()
                    if len(head) != 3 or head[1] != b"blob":  # noqa: PLR2004 - the object, its type, its size
                        raise RevisionError(
                            f"git has not the content of `{shown(entry.name)}` in `{shown(self._text)}`",
                            hint="see `git fsck`; in a partial clone, fetch it first",
                        )
                    size += int(head[2])
                    if size > MAX_BYTES:
                        raise RevisionError(f"the system has more than {MAX_BYTES:,} bytes in `{shown(self._text)}`")
                    yield entry, output.read(int(head[2]) + 1)[:-1]

    def _ask(self, *arguments: str) -> tuple[int, str, str]:
        """Run git to its end; return its status, what it printed, and the first line of what it complained."""
        with _git_is_there(self._text):
            done = subprocess.run(
                self._command(*arguments),
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        complaints = os.fsdecode(done.stderr).splitlines()
        return done.returncode, os.fsdecode(done.stdout).removesuffix("\n"), complaints[0] if complaints else "nothing"

    @contextmanager
    def _output(self, *arguments: str, asked: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
        """Start git for what it prints; it is ended with the block, and `RevisionError` if it had failed by then."""
        with _git_is_there(self._text):
            git = subprocess.Popen(
                self._command(*arguments),
                env=_environment(),
                stdin=asked or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        with git:
            try:
                if git.stdout is not None:
                    yield git.stdout
            except BaseException:
                git.kill()
                raise
        if git.returncode:
            raise RevisionError(f"git cannot read `{shown(self._text)}`", hint="see `git fsck`")

    def _command(self, *arguments: str) -> list[str]:
        return ["git", *_OPTIONS, "-C", str(self._system), *arguments]


@contextmanager
def _git_is_there(text: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise RevisionError(
            f"`{shown(text)}` is no system folder, and there is no git to ask for a revision",
            hint="install git, or name a folder",
        ) from None


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_KEPT)}
    return {**kept, **_SETTINGS}


class _Copy:
    """A system folder that is being made, in the private folder `root`, from a tree in git."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mistakes: list[Mistake] = []
        self._submodules: list[str] = []

    def take(self, repository: _Repository, tree: str) -> None:
        """Copy what a system can consist of."""
        chosen = []
        for entry in repository.entries(tree):
            if entry.mode == _SUBMODULE:
                self._submodules.append(entry.name)
            elif entry.mode == _LINK or entry.name.lower().endswith(_SUFFIXES) or _is_beside_policies(entry.name):
                chosen.append(entry)
            if len(chosen) + len(self._submodules) > MAX_FILES:
                raise RevisionError(f"the folder holds more than {MAX_FILES:,} files that could be the system's")
        links: dict[str, bytes] = {}
        for entry, content in repository.contents(chosen):
            with _copying(entry.name):
                path = self._place(entry.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                if entry.mode == _LINK:
                    links[entry.name] = content
                else:
                    with path.open("xb") as file:
                        file.write(content)
        # INVARIANT: links come last, when every folder is there, so that nothing is ever written through one.
        for name, target in links.items():
            with _copying(name):
                self._place(name).symlink_to(os.fsdecode(target))
        for name in links:
            if not self._is_inside(name):
                self._place(name).unlink()
                self._leave_out(name, "is a link out of the system folder, or to what is not read of a revision")

    def load(self) -> Policy:
        """Load what was copied, or raise `InvalidSystemError` with every mistake, also of what was left out."""
        for name in self._submodules:
            self._leave_out(name, "is a submodule, whose files are in another repository")
        mistakes = self._mistakes
        try:
            policy = load_policy(self._root)
        except InvalidSystemError as error:
            mistakes = [*mistakes, *error.mistakes]
            mistakes += (Mistake(Place(shown(name)), "a submodule is not read") for name in self._submodules)
        else:
            if not mistakes:
                return policy
        raise InvalidSystemError(mistakes)

    def _place(self, name: str) -> Path:
        if {"", ".", "..", ".git"} & set(name.split("/")):
            raise ValueError("no name of a file")
        return self._root / name

    def _is_inside(self, name: str) -> bool:
        try:
            return self._place(name).resolve(strict=True).is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):  # it leads to nothing, or back to itself
            return False

    def _leave_out(self, name: str, why: str) -> None:
        if name in _POLICIES or (_is_beside_policies(name) and name.lower().endswith((SUFFIX, TYPES_SUFFIX))):
            self._mistakes.append(Mistake(Place(shown(name)), f"`{shown(name)}` {why}", "put the file itself there"))


@contextmanager
def _copying(name: str) -> Iterator[None]:
    """Refuse what git itself puts into no tree: a name twice, one that leads out, a link to nowhere."""
    try:
        yield
    except (OSError, ValueError) as error:
        what = (isinstance(error, OSError) and error.strerror) or str(error)
        raise RevisionError(f"`{shown(name)}` cannot be copied: {what.lower()}", hint="see `git fsck`") from None


def _is_beside_policies(name: str) -> bool:
    return name.split("/", 1)[0] in _POLICIES
