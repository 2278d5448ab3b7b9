from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.policy.cases.conftest import NOW

from inward.catalog.system import policy_files
from inward.policy.cases.load import load_and_run, load_tests
from inward.policy.decide import Engine
from inward.policy.decision import Reason
from inward.policy.loading.load import load_policies

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.policy.cases.conftest import Load

    from inward.catalog.model import Catalog

TEST = NOW + "tests: [{name: a, callers: [checkout], operations: [orders:createOrder]}]\n"


def write(folder: Path, files: dict[str, str]) -> None:
    (folder / "policies").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "policies" / name).write_text(text)


def test_all_files_are_read_in_the_order_of_their_names(shop: Catalog, tmp_path: Path) -> None:
    write(tmp_path, {"b.test.yaml": TEST, "a.test.yaml": TEST, ".c.test.yaml": "[", "notes.yaml": "[", "d.cedar": "["})
    tests, mistakes = load_tests(tmp_path, shop)
    assert mistakes == []
    assert [str(test.place) for test in tests] == ["policies/a.test.yaml:2", "policies/b.test.yaml:2"]


def test_a_system_without_policies_has_no_tests(shop: Catalog, tmp_path: Path) -> None:
    assert load_tests(tmp_path, shop) == ((), [])
    (tmp_path / "policies").write_text("")
    tests, (mistake,) = load_tests(tmp_path, shop)
    assert tests == ()
    assert mistake.what == "the folder cannot be read: Not a directory"


def test_with_a_mistake_in_one_file_no_test_is_returned(shop: Catalog, tmp_path: Path) -> None:
    write(tmp_path, {"a.test.yaml": TEST, "b.test.yaml": "[", "c.test.yaml": TEST.replace("checkout", "chekout")})
    tests, mistakes = load_tests(tmp_path, shop)
    assert tests == ()
    assert {mistake.place.file for mistake in mistakes} == {"policies/b.test.yaml", "policies/c.test.yaml"}


def test_a_file_that_is_almost_named_like_a_test_is_a_mistake(shop: Catalog, tmp_path: Path) -> None:
    names = ["a.test.yml", "b.TEST.yaml", "c_test.yaml", "d.tests.yaml", "e.test.json", "f-test.yml"]
    write(tmp_path, dict.fromkeys(names, ""))
    tests, mistakes = load_tests(tmp_path, shop)
    assert tests == ()
    assert [mistake.place.file for mistake in mistakes] == [f"policies/{name}" for name in names]
    assert {mistake.hint for mistake in mistakes} == {"let its name end with `.test.yaml`"}


def test_what_is_no_file_of_the_folder_is_not_read(shop: Catalog, tmp_path: Path) -> None:
    write(tmp_path, {})
    policies = tmp_path / "policies"
    (policies / "link.test.yaml").symlink_to("/dev/zero")
    os.mkfifo(policies / "pipe.test.yaml")
    (policies / "bytes.test.yaml").write_bytes(b"\xff\xfe")
    mistakes = [str(mistake) for mistake in load_tests(tmp_path, shop)[1]]
    assert mistakes == [
        "policies/bytes.test.yaml:1: is not UTF-8 text (UTF-16?)",
        "policies/link.test.yaml: `policies/link.test.yaml` is a link out of the system folder (move the file into it)",
        "policies/pipe.test.yaml: `policies/pipe.test.yaml` is no regular file",
    ]


def test_tests_are_no_part_of_what_is_enforced(shop: Catalog, tmp_path: Path) -> None:
    write(tmp_path, {"orders.test.yaml": "[", "nobody.test.yaml": "["})
    policies, mistakes = load_policies(tmp_path, shop)
    assert (len(policies), mistakes) == (0, [])
    assert policy_files(tmp_path) == ()


def test_loading_and_running_in_one(shop: Catalog, load: Load, tmp_path: Path) -> None:
    policies, _ = load({})
    engine = Engine(shop, policies)
    write(tmp_path, {"a.test.yaml": TEST})
    (outcome,), mistakes = load_and_run(tmp_path, shop, engine)
    assert (mistakes, outcome.passed, outcome.decision.reason) == ([], True, Reason.NO_GRANT)
    write(tmp_path, {"b.test.yaml": "["})
    outcomes, mistakes = load_and_run(tmp_path, shop, engine)
    assert (outcomes, len(mistakes)) == ([], 1)


def test_nothing_is_made_ready_where_there_is_no_test(
    shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inward.policy.cases.load.Subject", None)
    write(tmp_path, {"orders.cedar": ""})
    assert load_tests(tmp_path, shop) == ((), [])
    write(tmp_path, {"a.test.yaml": TEST})
    with pytest.raises(AttributeError):
        load_tests(tmp_path, shop)
