"""E-mail addresses and telephone numbers, and what only looks like them."""

from __future__ import annotations

import pytest

from inward.spotting.recognisers.contact import EMAIL, PHONE


def emails(text: str) -> bool:
    return any(EMAIL.candidates(text, hinted=False))


def phones(text: str, *, hinted: bool = False) -> bool:
    return any(PHONE.candidates(text, hinted=hinted))


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.com",
        "Ada Lindqvist <ada.lindqvist+shop@mail.example.co.uk>",
        "mailto:o'brien@example.org",
        "write to ada@example.com.",
        "jörg@müller.example",
        "ADA@EXAMPLE.COM",
        "x@a-b.io, y@c.de",
    ],
)
def test_an_email_address(text: str) -> None:
    assert emails(text)


@pytest.mark.parametrize(
    "text",
    [
        "@ada",
        "ada@localhost",
        "teapot@1.2.3",
        "icon@2x.png",
        "logo@large.svg",
        "git@git.example.com:team/project.git",
        "postgres://app:word@db.example.com/app",
        "https://user@host.example.com/x",
        "a@b@example.com",
        ".ada.@example.com",
        "a..b@example.com",
        "ada@example..com",
        "ada@-example.com",
        "@scope/package.name",
        "5 @ 3.50",
    ],
)
def test_no_email_address(text: str) -> None:
    assert not emails(text)


@pytest.mark.parametrize(
    "text",
    [
        "+49 30 1234567",
        "+46701234567",
        "0049 171 2345678",
        "+1 (212) 736-5000",
        "(212) 736-5000",
        "212-736-5000",
        "212.736.5000",
        "please call +44 7400 123456 at noon",
        "tel:+33612345678",
    ],
)
def test_a_telephone_number(text: str) -> None:
    assert phones(text)


@pytest.mark.parametrize(
    "text",
    [
        "030 23125000",
        "2127365000",
        "07400 123456",
    ],
)
def test_a_local_number_is_one_by_the_name_of_its_field(text: str) -> None:
    assert phones(text, hinted=True)
    assert not phones(text)


@pytest.mark.parametrize(
    "text",
    [
        "+999 123 456 789",
        "123-456-7890",  # no area
        "2026-01-02T10:00:00+02:00",
        "1767225600",
        "978-3-16-148410-0",
        "c0ffee00-1234-4abc-8def-001122334455",
        "ORD-2026-000123",
        "192.168.100.100",
        "1.2.3+4567890123",
        "a+491711234567",
        "48.208174,16.373819",
    ],
)
def test_no_telephone_number(text: str) -> None:
    assert not phones(text)
    assert not phones(text, hinted=True) or text == "1767225600"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("phone_number", True),
        ("mobile", True),
        ("tel", True),
        ("cell_no", True),
        ("phone2", True),
        ("telegram", False),
        ("mobile_version", False),
        ("cellar", False),
        ("hotel", False),
    ],
)
def test_names_that_say_it(name: str, hint: bool) -> None:  # noqa: FBT001 - pytest gives it
    assert PHONE.hints is not None
    assert bool(PHONE.hints.search(name)) is hint
