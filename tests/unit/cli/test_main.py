from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inward.cli import main as program
from inward.cli.program import COMMANDS, GROUPS, LISTS
from inward.errors import ExitCode

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Inward

LISTED = (*COMMANDS, *GROUPS)


def test_without_arguments_it_lists_every_command_in_a_line_each(inward: Inward) -> None:
    done = inward()
    assert (done.code, done.err) == (0, "")
    listed = done.out.partition("Commands:")[2].split("\n")
    assert [line.split()[0] for line in listed if line.strip()] == list(LISTED)
    assert not any(line.endswith("...") for line in listed)


@pytest.mark.parametrize("command", LISTED)
def test_every_command_has_help(inward: Inward, command: str) -> None:
    done = inward(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: inward {command}")


@pytest.mark.parametrize(
    ("group", "command"), [(group, each) for group, (listed, *_) in GROUPS.items() for each in listed]
)
def test_every_command_of_a_group_has_help(inward: Inward, group: str, command: str) -> None:
    done = inward(group, command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: inward {group} {command}")


@pytest.mark.parametrize(
    ("group", "options"),
    [*((group, ["--help"]) for group in GROUPS), *((group, []) for group in GROUPS if group not in LISTS)],
)
def test_a_group_lists_its_commands(inward: Inward, group: str, options: list[str]) -> None:
    done = inward(group, *options)
    assert (done.code, done.err) == (0, "")
    listed = done.out.partition("Commands:")[2].split("\n")
    assert [line.split()[0] for line in listed if line.strip()] == list(GROUPS[group][0])
    assert not any(line.endswith("...") for line in listed)


def test_a_command_imports_no_other() -> None:
    code = "import sys, inward.cli.program as p; p.program(['calls']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "inward.cli.calls" in loaded
    assert not {"inward.cli.up", "inward.cli.policy.test", "uvicorn", "z3"} & set(loaded)


def test_the_version(inward: Inward) -> None:
    assert inward("--version").out.startswith("inward ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["--nothing"],
        ["call"],
        ["call", "--bogus"],
        ["explain"],
        ["calls", "--limit", "many"],
        ["allow", "a"],
        ["allow", "a", "b:c"],  # without a reason
        ["check", "more"],
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_3(inward: Inward, arguments: list[str]) -> None:
    done = inward(*arguments)
    assert (done.code, done.out, done.err.count("\n")) == (ExitCode.BAD_INPUT, "", 1)
    assert done.err.startswith("inward: ")
    assert "--help`" in done.err


@pytest.mark.parametrize("name", ["nowhere", "a" * 5000, "\udcff", "\x1b[31m", "a\nb"])
@pytest.mark.parametrize(
    "command", [["check"], ["calls"], ["status"], ["quarantine"], ["down"], ["up"], ["explain", "a", "b:c"]]
)
def test_a_folder_that_is_none_is_one_harmless_line(inward: Inward, command: list[str], name: str) -> None:
    done = inward(*command, "--system", name)
    assert (done.code, done.out, done.err.count("\n")) == (ExitCode.BAD_INPUT, "", 1), done
    assert "\x1b" not in done.err


def test_a_loop_of_links_is_no_folder(inward: Inward, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    done = inward("check", "--system", str(tmp_path / "loop"))
    assert (done.code, done.err.count("\n")) == (ExitCode.BAD_INPUT, 1)


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/srv/x"),
            ExitCode.FAILURE,
            "inward: `/srv/x`: no space left on device\n",
        ),
        (KeyboardInterrupt(), ExitCode.FAILURE, ""),
    ],
)
def test_what_the_operating_system_says_is_one_line(
    inward: Inward, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: ExitCode, said: str
) -> None:
    def fail(_: object) -> None:
        raise raised

    monkeypatch.setattr(program, "program", fail)
    done = inward()
    assert (done.code, done.err) == (code, said)


def test_a_broken_pipe_is_quiet(system: Path) -> None:
    """Standard output is closed before anything is written."""
    argv = [str(Path(sys.executable).parent / "inward"), "check", "--system", str(system)]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (ExitCode.FAILURE, b"")


def test_an_encoding_without_arrows_is_no_failure(system: Path) -> None:
    argv = [
        str(Path(sys.executable).parent / "inward"),
        "explain",
        "visitor",
        "greeter:getGreeting",
        "--system",
        str(system),
    ]
    environment = dict(os.environ) | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("visitor \\u2192 greeter:getGreeting")
