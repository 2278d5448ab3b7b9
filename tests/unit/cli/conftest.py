"""The program, run in this process, and a system folder to run it on."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pytest

from inward.cli import main as program
from inward.cli.template import files
from inward.control.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out.count("\n") == 1, self
        return msgspec.json.decode(self.out)


class Inward(Protocol):
    def __call__(self, *arguments: str) -> Done: ...


@pytest.fixture
def inward(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inward:
    """Run the program with some arguments."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["inward", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            program.main()
        printed = capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A system folder as `inward init` makes it, which is the current folder."""
    folder = tmp_path / "system"
    for name, content in files("company.test").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.chdir(folder)
    yield folder
    if (folder / "inward.yaml").is_file():
        shutil.rmtree(Layout.of(folder).run, ignore_errors=True)
