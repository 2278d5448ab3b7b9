"""What stands behind a field of a Sigma rule (`path|contains|all`), and what it makes of the values there.

Sigma modifiers appendix 2.1. Supported: `contains`, `startswith`, `endswith`, `all`, `cased`, `neq`, `re` with `i`, `m`
and `s`, `cidr`, `base64`, `base64offset`, `exists`, `fieldref`, `lt`, `lte`, `gt`, `gte`, and of `time` `minute`,
`hour`, `day`, `week`, `month` and `year`. Rules: what is not supported is an error, never left out; regular expressions
are RE2's, which takes linear time.
"""

from __future__ import annotations

import base64
import operator
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

from inward.alerting.sigma import fields
from inward.alerting.sigma.pattern import Pattern
from inward.catalog.document import did_you_mean, shown
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inward.record.call import Call

    ValueTest = Callable[[str | int], bool]

Scalar: TypeAlias = str | int | float | bool | None

MAX_EXPRESSION = 2000  # characters of a regular expression
_MAX_PROGRAM_BYTES = 1 << 20  # that one is compiled to
_PLACES: Final = ("contains", "startswith", "endswith")
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_OF_TIME: Final[Mapping[str, Callable[[datetime], int]]] = {
    "minute": lambda moment: moment.minute,
    "hour": lambda moment: moment.hour,
    "day": lambda moment: moment.day,
    "week": lambda moment: moment.isocalendar().week,
    "month": lambda moment: moment.month,
    "year": lambda moment: moment.year,
}
_FLAGS: Final = ("i", "m", "s")
_KINDS: Final = ("re", "cidr", "base64", "base64offset", "exists", "fieldref", *_COMPARISONS)
KNOWN: Final = (*_PLACES, "all", "cased", "neq", *_FLAGS, *_KINDS, *_OF_TIME)
_ELSEWHERE: Final = {
    "windash": "nothing in a call is a Windows command line",
    "expand": "write the values themselves",
    "wide": "nothing in a call is UTF-16",
    "utf16": "nothing in a call is UTF-16",
    "utf16le": "nothing in a call is UTF-16",
    "utf16be": "nothing in a call is UTF-16",
}


class ModifierError(BadInputError):
    """A field, its modifiers or a value of a rule cannot be used."""

    code = "sigma_modifier"


class Modified:
    """A field with its modifiers, as the key of a selection names it. Raises `ModifierError` for what is no such thing.

    The empty field, of keywords, is every value of a call.
    """

    def __init__(self, key: str) -> None:
        name, *modifiers = key.split("|")
        if name and not fields.is_field(name):
            hint = did_you_mean(name, fields.NAMES)
            if name == "parameters":
                hint = "write `parameters.NAME`"
            raise ModifierError(
                f"calls have no field `{shown(name)}`", hint=hint or "see docs/record.md for those there are"
            )
        self.field = name
        self.every = "all" in modifiers
        self._negated = "neq" in modifiers
        self._cased = "cased" in modifiers
        self._flags = "".join(each for each in _FLAGS if each in modifiers)
        self._places = [each for each in modifiers if each in _PLACES]
        self._kinds = [each for each in modifiers if each in _KINDS]
        self._times = [each for each in modifiers if each in _OF_TIME]
        self._check(modifiers)
        self.values = self._values()

    @property
    def needs_all(self) -> bool:
        """Whether every value of a list must fit: `all` says so, and what differs differs from each of them."""
        return self.every or self._negated

    def _check(self, modifiers: Sequence[str]) -> None:
        for modifier in modifiers:
            if modifier in _ELSEWHERE:
                raise ModifierError(f"the modifier `{modifier}` is not supported", hint=_ELSEWHERE[modifier])
            if modifier not in KNOWN:
                hint = did_you_mean(modifier, KNOWN)
                raise ModifierError(f"`{shown(modifier)}` is no modifier that is supported", hint=hint)
            if modifiers.count(modifier) > 1:
                raise ModifierError(f"the modifier `{modifier}` stands there twice", hint="keep one")
        kind = self._kinds[0] if self._kinds else ""
        wrong = (
            len(self._kinds) > 1
            or len(self._places) > 1
            or len(self._times) > 1
            or (bool(self._places) and kind not in {"", "base64", "base64offset"})
            or (bool(self._flags) and kind != "re")
            or (self._cased and kind not in {"", "base64", "base64offset"})
            or (kind == "base64offset" and self._places != ["contains"])
            or (kind in {"exists", *_COMPARISONS} and (self._negated or self.every))
            or (not self.field and set(modifiers) - {"all", "cased"} != set())
        )
        if wrong:
            text = "|".join(modifiers)
            hint = (
                "`base64offset` needs `contains`"
                if kind == "base64offset"
                else "see docs/alerting.md for what can be combined"
            )
            raise ModifierError(f"the modifiers `{shown(text)}` cannot be combined", hint=hint)
        if self._times and self.field != "time":
            raise ModifierError(f"`{self._times[0]}` is asked of `{self.field}`", hint="only `time` is a time")
        numeric = self.field in fields.NUMBERS or bool(self._times) or fields.is_parameter(self.field)
        if kind in _COMPARISONS and not numeric:
            raise ModifierError(f"`{kind}` is asked of `{self.field}`, which is no number", hint=_numbers())
        if self._times and kind not in {"", *_COMPARISONS}:
            raise ModifierError(f"`{kind}` cannot be asked of a number", hint="compare it, or give the number")

    def _values(self) -> Callable[[Call], fields.Values]:
        if not self.field:
            return fields.every_value
        get = fields.getter(self.field)
        if not self._times:
            return get
        part = _OF_TIME[self._times[0]]

        def of_time(call: Call) -> fields.Values:
            try:
                return (part(datetime.fromisoformat(call.time)),)
            except ValueError:
                return ()

        return of_time

    def test(self, value: Scalar) -> Callable[[Call], bool]:
        """Return whether a call's field fits one value of the rule. Raises `ModifierError`."""
        found = self._positive(value)
        return (lambda call: not found(call)) if self._negated else found

    def _positive(self, value: Scalar) -> Callable[[Call], bool]:
        kind = self._kinds[0] if self._kinds else ""
        values = self.values
        if kind == "exists":
            if not isinstance(value, bool):
                raise ModifierError("`exists` takes `true` or `false`")
            return lambda call: bool(values(call)) is value
        if isinstance(value, bool):
            raise ModifierError("no field of a call is true or false", hint="put it in quotes if it is a text")
        if kind == "fieldref":
            return self._same_as(value)
        if value is None:
            if kind or self._places or not self.field:
                raise ModifierError("`null` takes no modifiers", hint="it is a field that the call does not have")
            return lambda call: not values(call)
        one = self._of_value(kind, value)

        def found(call: Call) -> bool:
            for each in values(call):  # noqa: SIM110 - for each call of the stream, and `any` takes longer
                if one(each):
                    return True
            return False

        return found

    def _same_as(self, value: Scalar) -> Callable[[Call], bool]:
        if not isinstance(value, str) or not fields.is_field(value):
            raise ModifierError(f"`fieldref` takes the name of a field, and `{shown(str(value))}` is none")
        values, other = self.values, fields.getter(value)
        fold = str if self._cased else lambda each: str(each).casefold()
        return lambda call: not {fold(each) for each in values(call)}.isdisjoint(map(fold, other(call)))

    def _of_value(self, kind: str, value: str | float) -> ValueTest:
        match kind:
            case "re":
                return _expression(_text(value, kind), self._flags)
            case "cidr":
                return _network(_text(value, kind))
            case "base64":
                return self._placed(Pattern((tuple(base64.b64encode(_plain(value, kind)).decode()),)))
            case "base64offset":
                plain = _plain(value, kind)
                tests = [_anywhere(shifted, cased=self._cased) for shifted in _shifted(plain)]
                return lambda found: any(test(found) for test in tests)
            case "":
                return self._placed(Pattern.parse(str(value)))
            case _:
                return _compared(_COMPARISONS[kind], value)

    def _placed(self, pattern: Pattern) -> ValueTest:
        place = self._places[0] if self._places else "contains" if not self.field else ""
        pattern = pattern.within(before=place in {"contains", "endswith"}, after=place in {"contains", "startswith"})
        matches = pattern.matcher(cased=self._cased)
        return lambda found: matches(str(found))


def _numbers() -> str:
    return "numbers are " + ", ".join(f"`{name}`" for name in sorted(fields.NUMBERS))


def _text(value: str | float, kind: str) -> str:
    if not isinstance(value, str) or not value:
        raise ModifierError(f"`{kind}` takes a text", hint="put it in quotes")
    return value


def _plain(value: str | float, kind: str) -> bytes:
    plain = Pattern.parse(_text(value, kind)).plain
    if plain is None:
        raise ModifierError(f"`{kind}` takes no wildcards", hint=r"write `\*` for a star")
    return plain.encode("utf-8", "surrogatepass")


def _shifted(plain: bytes) -> list[str]:
    """Return how bytes may appear in a longer text in Base64: what is the same whatever stands before and after."""
    found = []
    for shift, skipped in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * shift + plain).decode()
        rest = (shift + len(plain)) % 3
        found.append(encoded[skipped : len(encoded) - (0, 3, 2)[rest]])
    return [each for each in found if each]


def _anywhere(text: str, *, cased: bool) -> ValueTest:
    matches = Pattern((tuple(text),)).within(before=True, after=True).matcher(cased=cased)
    return lambda found: matches(str(found))


def _compared(compare: Callable[[float, float], bool], value: str | float) -> ValueTest:
    if isinstance(value, str):
        raise ModifierError(f"`{shown(value)}` is no number")
    wanted = value

    def test(found: str | int) -> bool:
        try:
            return compare(float(found), wanted)
        except (ValueError, OverflowError):  # what a caller wrote into a path
            return False

    return test


def _network(text: str) -> ValueTest:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ModifierError(f"`{shown(text)}` is no network", hint="such as 10.0.0.0/8") from None

    def test(found: str | int) -> bool:
        try:
            address = ip_address(found)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address) in network

    return test


def _expression(text: str, flags: str) -> ValueTest:
    try:
        import re2  # noqa: PLC0415 - it comes with an extra, and only such rules need it
    except ImportError:
        hint = "install `inward[spotting]`, or write the value with `*` and `?`"
        raise ModifierError("regular expressions need google-re2", hint=hint) from None
    if len(text) > MAX_EXPRESSION:
        raise ModifierError(f"the regular expression is longer than {MAX_EXPRESSION} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_PROGRAM_BYTES
    try:
        expression = re2.compile(f"(?{flags}){text}" if flags else text, options)
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if error.args else ""
        told = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ModifierError(f"the regular expression is not one of RE2: {shown(told)}") from None

    def test(found: str | int) -> bool:
        try:
            return expression.search(str(found)) is not None
        except UnicodeEncodeError:
            return False

    return test
