"""Path templates: `/orders/{id}` as one regular expression that Envoy (RE2) and Python read alike.

There is one home for the question "which path is that operation?", so that the enforcer, the decision point and the
explanations cannot differ. A variable takes one or more characters of one path segment, and none that an application
might take for a separator: no `/`, `\\`, `;`, no encoded form of them or of `.`, no control character, no overlong UTF-8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from inward.errors import BadInputError

# One character of a path segment: RFC 3986 pchar without `;`, and percent-encoded bytes without
# controls, `.`, `/`, `\` and the bytes that can only begin overlong or impossible UTF-8 (RFC 3629).
_PERCENT = (
    r"%(?:2[0-9A-Da-d]|[346][0-9A-Fa-f]|5[0-9ABDEFabdef]|7[0-9A-Ea-e]"
    r"|[89ABab][0-9A-Fa-f]|[Cc][2-9A-Fa-f]|[DdEe][0-9A-Fa-f]|[Ff][0-4])"
)
SEGMENT = r"(?:[A-Za-z0-9._~!$&'()*+,=:@-]|" + _PERCENT + ")+"
_VARIABLE = re.compile(r"\{([^{}/]+)\}")


class InvalidTemplateError(BadInputError):
    """A path template cannot be used."""

    code = "invalid_template"


@dataclass(frozen=True)
class PathTemplate:
    """A path with variables, such as `/orders/{id}/lines:batch`. `text` starts with a slash and holds no query."""

    text: str

    def __post_init__(self) -> None:
        if not self.text.startswith("/"):
            raise InvalidTemplateError(f"the path `{self.text}` does not start with a slash")
        if any(character in self.text for character in "?#;\\"):
            raise InvalidTemplateError(f"the path `{self.text}` holds one of `?`, `#`, `;` and `\\`")
        rest = _VARIABLE.sub("", self.text)
        if "{" in rest or "}" in rest:
            raise InvalidTemplateError(f"the path `{self.text}` has braces that do not pair")
        names = self.variables
        if len(set(names)) != len(names):
            raise InvalidTemplateError(f"the path `{self.text}` names a variable twice")

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables' names, in the order of the path."""
        return tuple(_VARIABLE.findall(self.text))

    @cached_property
    def static_prefix(self) -> str:
        """What every path of this template starts with."""
        return self.text.partition("{")[0]

    @cached_property
    def regex(self) -> str:
        """A regular expression for the whole path, one group a variable, in the syntax that RE2 and `re` share."""
        parts = _VARIABLE.split(self.text)  # literal, name, literal, name, …, literal
        return "".join(
            f"({SEGMENT})" if index % 2 else re.escape(part).replace(r"\-", "-") for index, part in enumerate(parts)
        )

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.regex, re.ASCII)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the raw text of each variable (still percent-encoded), or None where `path` is another one."""
        found = self._compiled.fullmatch(path)
        return dict(zip(self.variables, found.groups(), strict=True)) if found else None
