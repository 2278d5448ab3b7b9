from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cli.formats.reports import report

from inward.cli.formats.junit import Case, Suite, render, suites_of


def parse(text: str) -> ET.Element:
    return ET.fromstring(text.encode())  # noqa: S314 - our own


def test_suites_and_cases_are_counted() -> None:
    root = parse(render([Suite("one", [Case("a", "c"), Case("b", "c", "no\nat all", "f.yaml", 3)]), Suite("two", [])]))
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    one, two = root
    assert (one.get("name"), one.get("tests"), one.get("failures")) == ("one", "2", "1")
    assert (two.get("name"), two.get("tests"), len(two)) == ("two", "0", 0)
    passed, failed = one
    assert (passed.attrib, len(passed)) == ({"name": "a", "classname": "c"}, 0)
    assert (failed.get("file"), failed.get("line")) == ("f.yaml", "3")
    assert (failed[0].get("message"), failed[0].text) == ("no", "no\nat all")


@given(st.text(st.characters(), max_size=20))
def test_any_text_gives_well_formed_xml(text: str) -> None:
    [suite] = parse(render([Suite(text, [Case(text, text, text, text)])]))
    assert suite[0][0].tag == "failure"


def test_what_xml_cannot_hold_is_shown() -> None:
    assert 'name="a\\x00b\\ud800"' in render([Suite("a\x00b\ud800", [])])


def test_a_step_is_a_suite_and_only_notes_pass() -> None:
    system, services, policies = suites_of(report(), "deploy/")
    assert [suite.name for suite in (system, services, policies)] == ["system", "services", "policies"]
    assert (system.failures, services.failures, policies.failures) == (1, 1, 0)
    assert [case.failure is None for case in services.cases] == [False, True, True]
    assert (services.cases[0].file, services.cases[0].line) == ("deploy/inward.yaml", 6)
    assert [case.name for case in policies.cases] == ["policies"]  # it was taken, and found nothing


def test_a_case_keeps_its_name_when_lines_and_words_change() -> None:
    names = [
        [case.name for suite in suites_of(each, "") for case in suite.cases] for each in (report(), report(9, "x"))
    ]
    assert names[0] == names[1]
