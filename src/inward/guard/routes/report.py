"""What a guard says of its application to whoever asks it over its own socket, and how it is asked.

A question is a request with the header `HEADER` and without an identity. A guard refuses it in every mode, so that no
handler runs because somebody looks whether there is a guard. With the value `ROUTES` it asks for a report too, which is
given over the socket alone, that only this account can reach: what an Envoy hands on always has an identity.
"""

from __future__ import annotations

from typing import Final

import msgspec

HEADER: Final = "x-inward-probe"
ROUTES: Final = "routes"
MOST_TOLD = 100  # routes


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at. `routes` is how many there are, None where that is not known.

    `undocumented` are those that no API description has, as `METHOD /path`, the first `MOST_TOLD` of them.
    """

    routes: int | None
    undocumented: tuple[str, ...] = ()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a guard answers to a question: its refusal (RFC 9457), with a report in it."""

    status: int
    code: str
    instance: str
    report: Report | None = None
