"""E-mail addresses and telephone numbers.

Telephone numbers are those that the numbering plan of their country allows. One without `+` or `00`
is looked for where the field's name says that there is one, or where it is grouped as in North America.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from inward.spotting.kinds import Kind, Recogniser
from inward.spotting.recognisers.numbering import is_international, local_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

# the length limits are those of RFC 5321 section 4.5.3.1; names of hosts may be internationalised
_EMAIL = re.compile(r"(?<![\w.%+/@-])[\w.!#$%&'*+=?^{|}~-]{1,64}@((?:[^\W_][\w-]{0,62}\.){1,8})([^\W\d_][\w-]{1,62})")
_NOT_AFTER = re.compile(r"[@/]|:[^\s,;]")  # `git@host.org:path`, and users in addresses of hosts
_IN_URL = re.compile(r"://[^\s/]{0,78}\Z")  # `amqp://user:word@host.org`
_FILES: Final = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "json", "html", "md", "py"})

_PHONE = re.compile(
    r"(?<![\w.+-])(?:(?:\+|00)[1-9](?:[ ().\-/]{0,2}\d){6,14}"
    r"|(?:\(\d{3}\) ?\d{3}|\d{3}-\d{3}|\d{3}\.\d{3})[-.]\d{4})(?![\w-])",
    re.ASCII,
)
_LOCAL_PHONE = re.compile(r"\s*\(?\d(?:[ ().\-/]{0,2}\d){5,14}\s*", re.ASCII)
_NO_DIGITS = re.compile(r"[^0-9]+")
_PHONE_NAME = re.compile(
    r"phone|telefon|whatsapp|msisdn|(?:^|_)(?:mobile|tel|fax|cell|handy)(?:_?(?:no|nr|num|number))?_?\d?$",
    re.IGNORECASE,
)
_REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "SE", "PL", "IN", "BR", "AU", "JP")  # of local numbers


def _emails(text: str, *, hinted: bool) -> Iterator[bool]:  # noqa: ARG001 - how recognisers are called
    for found in _EMAIL.finditer(text):
        local = found[0].partition("@")[0]
        dotted = not local.startswith(".") and not local.endswith(".") and ".." not in local
        elsewhere = _NOT_AFTER.match(text, found.end()) or _IN_URL.search(
            text, max(0, found.start() - 80), found.start()
        )
        yield dotted and not elsewhere and found[2].lower() not in _FILES


def _phones(text: str, *, hinted: bool) -> Iterator[bool]:
    found = None
    for found in _PHONE.finditer(text):
        digits = _NO_DIGITS.sub("", found[0])
        if found[0].startswith("00"):
            digits = digits[2:]
        elif not found[0].startswith("+"):
            digits = "1" + digits  # North America's own
        yield is_international(digits)
    if hinted and found is None and _LOCAL_PHONE.fullmatch(text):
        yield local_plan(_REGIONS).fullmatch(_NO_DIGITS.sub("", text).encode()) is not None


EMAIL = Recogniser(Kind.EMAIL, (r"[\pL\pN_.!#$%&'*+=?^{|}~-]@[\pL\pN]",), None, _emails)
PHONE = Recogniser(
    Kind.PHONE,
    (
        r"\+[1-9][0-9 ().\-/]{6}",
        r"(?:^|[^0-9A-Za-z_.+-])00[1-9][0-9 ().\-/]{6}",
        r"\([0-9]{3}\) ?[0-9]{3}[-.]",
        r"[0-9]{3}([-.])[0-9]{3}[-.][0-9]{4}",
    ),
    _PHONE_NAME,
    _phones,
    by_chance=True,
)
