"""National identification numbers of persons, of countries whose numbers have check digits.

Belgium (rijksregisternummer), Brazil (CPF), China (resident identity number), Finland (henkilötunnus), France (NIR),
Germany (Steuer-ID), Italy (codice fiscale), the Netherlands (BSN), Norway (fødselsnummer), Poland (PESEL), Spain (DNI
and NIE), Sweden (personnummer). Each algorithm is the one that the country has published.

What it leaves out: numbers without check digits (the United States, Denmark), which are any number. Of those whose
check digit is all there is to tell (BSN, Steuer-ID, a personnummer without its sign) the field's name must say what it
is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import re2

from inward.spotting.kinds import Kind, Recogniser
from inward.spotting.recognisers.checksum import is_date, luhn, mod_11_2, mod_11_10, weighted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_NAME = re.compile(
    r"national|identity|social|ssn|tax_?(?:id|no|num|code|ref)|steuer|bsn|burger|person.{0,3}(?:n(?:um|o|r)|id)|cpf|pesel|(?:^|_)(?:nir|tin)(?:_|$)",
    re.IGNORECASE,
)
_MEMORY: Final = 64 * 1024 * 1024  # bytes that RE2 may use at most
_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"  # Spain: the letter of a number's rest by 23
_FINNISH: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FINNISH_CENTURIES: Final = {"+": 1800} | dict.fromkeys("-UVWXY", 1900) | dict.fromkeys("ABCDEF", 2000)
_FRENCH_MONTHS: Final = frozenset((*range(1, 13), *range(20, 43)))  # from 20 on the month is not known
_POLISH_CENTURIES: Final = (1900, 2000, 2100, 2200, 1800)  # by the month, in twenties
_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)  # Italy
_ITALIAN_MONTHS: Final = "ABCDEHLMPRST"


def is_belgian(digits: str) -> bool:
    """Tell of eleven digits: date of birth, serial number, 97 less the rest of both by 97 (2 in front since 2000)."""
    number, check = int(digits[:9]), int(digits[9:])
    month, day = int(digits[2:4]), int(digits[4:6])
    old, new = 97 - number % 97 == check, 97 - (2_000_000_000 + number) % 97 == check
    year = int(digits[:2])
    return (old and is_date(1900 + year, month, day)) or (new and is_date(2000 + year, month, day))


def is_brazilian(digits: str) -> bool:
    """Tell of eleven digits: each of the last two is the weighted sum of those before it, times ten, by 11."""
    if len(set(digits)) == 1:
        return False
    return all(weighted(digits[:n], range(n + 1, 1, -1)) * 10 % 11 % 10 == int(digits[n]) for n in (9, 10))


def is_chinese(text: str) -> bool:
    """Tell of eighteen characters: region, date of birth, order, and a check character (GB 11643-1999)."""
    return text[6:8] in {"19", "20"} and is_date(int(text[6:10]), int(text[10:12]), int(text[12:14])) and mod_11_2(text)


def is_dutch(digits: str) -> bool:
    """Tell of nine digits: the sum weighted 9 to 2, less the last, is a multiple of 11."""
    return digits[:2] != "00" and weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def is_finnish(text: str) -> bool:
    """Tell of eleven characters: date of birth, sign of the century, number, and the rest of both by 31."""
    century = _FINNISH_CENTURIES.get(text[6])
    if century is None or not is_date(century + int(text[4:6]), int(text[2:4]), int(text[:2])):
        return False
    return _FINNISH[int(text[:6] + text[7:10]) % 31] == text[10]


def is_french(text: str) -> bool:
    """Tell of fifteen characters: sex, year, month, department, commune, order, 97 less the rest by 97 (INSEE)."""
    # Corsica's departments 2A and 2B count as 19 and 18
    number = int(text[:13].replace("2A", "19").replace("2B", "18"))
    return int(text[3:5]) in _FRENCH_MONTHS and 97 - number % 97 == int(text[13:])


def is_german(digits: str) -> bool:
    """Tell of eleven digits: of the first ten one stands twice or three times; ISO/IEC 7064 mod 11,10."""
    most = sorted(map(digits[:10].count, set(digits[:10])), reverse=True)
    return digits[0] != "0" and most[0] in {2, 3} and most[1] == 1 and mod_11_10(digits)


def is_italian(text: str) -> bool:
    """Tell of sixteen characters: name, date, place, and the letter that they give (decree of 23 December 1976)."""
    values = [int(each, 36) - (0 if each.isdigit() else 10) for each in text[:15]]
    total = sum(_ODD[value] for value in values[::2]) + sum(values[1::2])
    return text[8] in _ITALIAN_MONTHS and chr(ord("A") + total % 26) == text[15]


def is_norwegian(digits: str) -> bool:
    """Tell of eleven digits: date of birth, number, and two check digits by 11 (D-numbers add 40 to the day)."""
    day = int(digits[:2]) % 40
    if not any(is_date(century + int(digits[4:6]), int(digits[2:4]), day) for century in (1900, 2000)):
        return False
    first = weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1))
    return first % 11 == 0 and weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def is_polish(digits: str) -> bool:
    """Tell of eleven digits: date of birth, with the century in the month, number, and a weighted check digit."""
    century, month = divmod(int(digits[2:4]), 20)
    if not is_date(_POLISH_CENTURIES[century] + int(digits[:2]), month, int(digits[4:6])):
        return False
    return weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def is_spanish(text: str) -> bool:
    """Tell of nine characters: a number (X, Y, Z of a foreigner are 0, 1, 2) and the letter of its rest by 23."""
    number = int(text[:8].translate(str.maketrans("XYZ", "012")))
    return _LETTERS[number % 23] == text[8]


def is_swedish(digits: str) -> bool:
    """Tell of ten digits: date of birth (a coordination number adds 60 to the day), number, Luhn."""
    day = int(digits[4:6]) % 60
    return luhn(digits) and any(is_date(century + int(digits[:2]), int(digits[2:4]), day) for century in (1900, 2000))


def _of_eleven(digits: str) -> bool:
    return is_polish(digits) or is_norwegian(digits) or is_belgian(digits) or is_brazilian(digits)


def _plain(text: str) -> str:
    return re.sub(r"[ .+-]", "", text)


# nothing that makes it a part of something longer
_BEFORE: Final = r"(?<![\w.+-])"
_AFTER: Final = r"(?![\w-]|\.\d)"
_Form = tuple["re.Pattern[str]", "Callable[[str], bool]"]


def _form(pattern: str, check: Callable[[str], bool]) -> _Form:
    return re.compile(f"{_BEFORE}(?:{pattern}){_AFTER}", re.ASCII), check


def _trigger(form: _Form) -> str:
    """Return what RE2 finds in every text in which a form stands: it knows nothing of what stands around."""
    return r"(?:^|[^0-9A-Za-z_.+-])" + form[0].pattern.removeprefix(_BEFORE).removesuffix(_AFTER)


_FORMS: Final = (
    _form(r"\d{11}|\d{6} \d{5}", lambda text: _of_eleven(_plain(text))),
    _form(r"\d{2}\.\d{2}\.\d{2}-\d{3}[.-]\d{2}", lambda text: is_belgian(_plain(text))),
    _form(r"\d{3}\.\d{3}\.\d{3}-\d{2}", lambda text: is_brazilian(_plain(text))),
    _form(r"[1-9]\d{16}[\dX]", is_chinese),
    _form(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", is_finnish),
    _form(r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", lambda text: is_french(_plain(text))),
    _form(r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]", is_italian),
    _form(r"\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]", lambda text: is_spanish(_plain(text))),
    _form(r"(?:19|20)?\d{6}[-+]\d{4}", lambda text: is_swedish(_plain(text)[-10:])),
)
_HINTED_FORMS: Final = (
    _form(r"\d{9}", is_dutch),
    _form(r"\d{11}|\d{2} \d{3} \d{3} \d{3}", lambda text: is_german(_plain(text))),
    _form(r"(?:19|20)?\d{10}", lambda text: is_swedish(text[-10:])),
)


def _numbers(text: str, *, hinted: bool) -> Iterator[bool]:
    """Yield for each part of a text that has a form whether it is a number in any of the forms that it has."""
    said: dict[tuple[int, int], bool] = {}
    # a long text is looked through for all forms at once, and then for those that are there
    forms = (*_FORMS, *_HINTED_FORMS) if hinted else [_FORMS[number] for number in _SET.Match(text) or ()]
    for pattern, check in forms:
        for found in pattern.finditer(text):
            said[found.span()] = said.get(found.span(), False) or check(found[0])
    yield from said.values()


def _set_of(triggers: Iterable[str]) -> re2.Set:
    options = re2.Options()
    options.max_mem = _MEMORY
    found = re2.Set.SearchSet(options)
    for trigger in triggers:
        found.Add(trigger)
    found.Compile()
    return found


_TRIGGERS: Final = tuple(map(_trigger, _FORMS))
_SET: Final = _set_of(_TRIGGERS)
NATIONAL_ID = Recogniser(Kind.NATIONAL_ID, _TRIGGERS, _NAME, _numbers, by_chance=True)
