"""Where files lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inward.control.layout import Layout, find_system
from inward.errors import BadInputError
from inward.identity.private_files import PrivateFileError


def test_everything_that_is_private_is_in_private_folders(system: Path) -> None:
    layout = Layout.of(system)
    for folder in (layout.state, layout.run):
        assert folder.stat().st_mode & 0o777 == 0o700
    inside_state = (layout.record, layout.quarantine, layout.log("orders"), layout.output("orders"))
    inside_run = (layout.running, layout.processes, layout.slow_socket, layout.bundle, layout.service("orders").path)
    assert all(path.is_relative_to(layout.state) for path in inside_state)
    assert all(path.is_relative_to(layout.run) for path in inside_run)
    service = layout.service("orders")
    assert {path.parent for path in (service.admin_socket, service.app_socket, service.bootstrap)} == {service.path}
    sockets = {service.app_socket, service.own_socket, service.asked_socket, service.new_socket, service.admin_socket}
    assert ({path.parent for path in sockets}, len(sockets)) == ({service.path}, 5)
    assert service.path.is_relative_to(layout.services)


def test_git_does_not_take_the_state(system: Path) -> None:
    layout = Layout.of(system)
    assert (layout.state / ".gitignore").read_text() == "*\n"


def test_a_system_has_one_run_folder_however_it_is_named(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = system.parent / "link"
    link.symlink_to(system)
    monkeypatch.chdir(system)
    assert Layout.of(system).run == Layout.of(link).run == Layout.of(Path()).run
    assert Layout.of(link).system == system.resolve()


def test_two_systems_have_two(system: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))  # a name that is no Unicode
    odd.mkdir()
    (odd / "inward.yaml").write_text("")
    first, second = Layout.of(system), Layout.of(odd)
    assert first.run != second.run
    second.run.rmdir()


def test_a_folder_without_a_system_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inward.yaml").mkdir(parents=True)
    for folder in (tmp_path / "none", tmp_path / "empty"):
        with pytest.raises(BadInputError, match=r"there is no `inward\.yaml`") as raised:
            find_system(folder)
        assert "inward init" in raised.value.hint


def test_a_state_folder_that_others_can_read_is_refused(system: Path) -> None:
    (system / ".inward").mkdir(mode=0o755)
    with pytest.raises(PrivateFileError, match="open to other accounts"):
        Layout.of(system)
    (system / ".inward").chmod(0o700)


def test_the_logs_that_there_are(layout: Layout) -> None:
    assert layout.logged() == []
    for name in ("orders", "gone"):
        layout.log(name).mkdir(parents=True)
    (layout.state / "log" / "file").write_text("")
    assert layout.logged() == ["gone", "orders"]
