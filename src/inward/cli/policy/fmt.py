"""`inward policy fmt`: lay policy files out in one style."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.catalog.document import shown
from inward.catalog.system import policy_files
from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import mistake_as_json, print_error, print_json, print_line, remark, styled
from inward.control.layout import SYSTEM_FILE
from inward.errors import BadInputError, ExitCode, InvalidSystemError, InwardError
from inward.policy.authoring.layout import lay_out
from inward.policy.authoring.replace import read_file, replace_file
from inward.policy.loading.load import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inward.cli.output import Style


@dataclass(frozen=True, slots=True)
class _File:
    """A policy file: its folder, its name in that, and as it was asked for."""

    folder: Path
    name: str
    asked: str


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of a file: its bytes before and after, or why it was left alone."""

    file: _File
    before: bytes = b""
    after: bytes = b""
    error: InwardError | None = None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def fmt(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Policy files, or folders of them. By default all of the system."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, name the files that would be.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Change nothing, show what would be.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Lay policy files out in one style: Cedar's own. Comments and the order of policies stay.

    Only the look changes: a file that would say something else afterwards, or lose a comment, is left alone and named.
    Exit 2: with --check or --diff, something would change. 3: a file has mistakes; it is left alone.
    """
    files = list(_named(paths) if paths else _all_of(system_folder(system)))
    dry = check or diff
    done = [_lay_out(file, dry=dry) for file in files]
    if json:
        print_json({"files": [_as_json(each) for each in done]})
    else:
        for each in done:
            _print(each, check=check, diff=diff)
        _print_summary(done, dry=dry)
    codes = [each.error.exit_code for each in done if each.error]
    if codes:
        return max(codes)
    return ExitCode.REFUSED if dry and any(each.changed for each in done) else ExitCode.SUCCESS


def _all_of(system: Path) -> Iterator[_File]:
    yield from (_File(system, name, name) for name in policy_files(system) if name.endswith(SUFFIX))


def _named(paths: Iterable[Path]) -> Iterator[_File]:
    for path in dict.fromkeys(paths):
        try:
            folder = path.is_dir()
            found = [each for each in (sorted(path.iterdir()) if folder else [path]) if each.is_file()]
        except (OSError, ValueError) as error:  # a name that is too long, a null character
            what = (isinstance(error, OSError) and error.strerror) or "it cannot be a path"
            raise BadInputError(f"`{shown(str(path))}` cannot be read: {what.lower()}") from None
        if not folder and not found:
            raise BadInputError(f"there is no file `{shown(str(path))}`", hint="name policy files, or folders of them")
        if not folder and path.suffix != SUFFIX:
            raise BadInputError(f"`{shown(str(path))}` is no policy file", hint=f"the name of one ends with `{SUFFIX}`")
        for each in found:
            if each.suffix == SUFFIX and not each.name.startswith("."):
                root = _root(each.parent.resolve())
                yield _File(root, str((each.parent.resolve() / each.name).relative_to(root)), str(each))


def _root(folder: Path) -> Path:
    """Return the system folder that a folder is in, or itself where it is in none."""
    return next((each for each in (folder, *folder.parents) if (each / SYSTEM_FILE).is_file()), folder)


def _lay_out(file: _File, *, dry: bool) -> _Done:
    try:
        before = read_file(file.folder, file.name)
        after = lay_out(before, file.asked)
        if after != before and not dry:
            replace_file(file.folder, file.name, before, after)
    except InwardError as error:
        return _Done(file, error=error)
    return _Done(file, before, after)


def _print(done: _Done, *, check: bool, diff: bool) -> None:
    if done.error is not None:
        print_error(done.error)
    elif done.changed and diff:
        for line in _diff(done):
            style: Style = "green" if line.startswith("+") else "red" if line.startswith("-") else ""
            print_line(styled(line, style))
    elif done.changed:
        print_line(styled(f"would lay out {done.file.asked}" if check else f"laid out {done.file.asked}", ""))


def _diff(done: _Done) -> Iterator[str]:
    """Yield the lines of a unified diff, without line ends: a carriage return is shown as what it is."""
    before, after = (text.decode().split("\n") for text in (done.before, done.after))
    name = done.file.asked
    yield from difflib.unified_diff(before[:-1] if not before[-1] else before, after[:-1], name, name, lineterm="")


def _print_summary(done: Sequence[_Done], *, dry: bool) -> None:
    changed = sum(each.changed for each in done)
    failed = sum(each.error is not None for each in done)
    parts = [f"{changed} {'would change' if dry else 'changed'}", f"{len(done) - changed - failed} as they should be"]
    remark(", ".join([*parts, f"{failed} left alone"] if failed else parts))


def _as_json(done: _Done) -> dict[str, Any]:
    error = done.error
    mistakes = error.mistakes if isinstance(error, InvalidSystemError) else ()
    return {
        "file": done.file.asked,
        "changed": done.changed,
        "error": None if error is None else error.code,
        "message": None if error is None or mistakes else error.message,
        "mistakes": [mistake_as_json(mistake) for mistake in mistakes],
    }
