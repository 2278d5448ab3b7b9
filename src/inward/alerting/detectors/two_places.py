"""One identity is used from a network that it never used, while it goes on being used from one that it did.

A service may have many replicas, and a replica a new address each day: places are networks (`/24` of IPv4, `/64` of
IPv6), and those of a caller's first days are its own. A new place is told of when the caller is seen at a known one
within the window before and again after: a service that moves does not come back.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, shown
from inward.alerting.stream.bounded import Table
from inward.alerting.stream.clock import DAY
from inward.alerting.stream.saved import load, save
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert

MOST_CALLERS = 5_000
MOST_PLACES = 64  # of one caller
_REFERENCES = 8
MOVED_SECONDS = DAY  # without a call from a known place, after which a new one is where the service is now


class TwoPlacesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both places within `minutes`; a caller's first `learn_days`; networks of `ipv4_bits` and `ipv6_bits`."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 15
    learn_days: Annotated[int, msgspec.Meta(ge=0, le=90)] = 3
    ipv4_bits: Annotated[int, msgspec.Meta(ge=1, le=32)] = 24
    ipv6_bits: Annotated[int, msgspec.Meta(ge=1, le=128)] = 64


class _Place(msgspec.Struct):
    first: float
    last: float
    known: bool
    began: str
    calls: list[str] = []
    count: int = 0
    beside: float = -1.0  # when it was last seen shortly after a known one


class _Caller(msgspec.Struct):
    born: float
    places: dict[str, _Place] = {}
    unknown: int = 0  # of the places
    last_known: float = -1.0


class TwoPlaces:
    """Keeps the networks of each caller."""

    slug = "two-places"

    def __init__(self, settings: TwoPlacesSettings) -> None:
        self.settings = settings
        self._callers: Table[str, _Caller] = Table(MOST_CALLERS)
        self._dropped = 0
        self._network = lru_cache(maxsize=4096)(self._network_of)

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        if not isinstance(entry, Call) or entry.address is None or entry.caller is None or entry.enforcer == "egress":
            return ()
        network = self._network(entry.address)
        if network is None or moment.late:
            return ()
        at = moment.at
        caller = self._callers.get(entry.caller)
        if caller is None:
            caller = _Caller(at)
            self._callers.put(entry.caller, caller)
        place = caller.places.get(network)
        if place is None:
            place = self._new_place(caller, network, entry, at)
        place.last = max(place.last, at)
        if place.known:
            caller.last_known = max(caller.last_known, at)
            return self._back_at_known(entry, caller, network, at) if caller.unknown else ()
        place.count += 1
        if len(place.calls) < _REFERENCES:
            place.calls.append(entry.id)
        if 0 <= at - caller.last_known <= self.settings.minutes * 60:
            place.beside = at
        if at - place.first > MOVED_SECONDS and caller.last_known < place.first:
            place.known = True
            caller.unknown -= 1
        return ()

    def _new_place(self, caller: _Caller, network: str, entry: Call, at: float) -> _Place:
        if len(caller.places) >= MOST_PLACES:
            # An unknown one goes first: whoever calls from everywhere must not make the known ones forgotten.
            name = min(caller.places, key=lambda each: (caller.places[each].known, caller.places[each].last))
            caller.unknown -= not caller.places.pop(name).known
            self._dropped += 1
        known = at - caller.born < self.settings.learn_days * DAY
        place = _Place(at, at, known, entry.time)
        caller.places[network] = place
        caller.unknown += not known
        return place

    def _back_at_known(self, entry: Call, caller: _Caller, network: str, at: float) -> list[Alert]:
        """Tell of unknown places that lie between two calls from a known one."""
        window = self.settings.minutes * 60
        found = []
        for name, place in caller.places.items():
            if place.known or not place.beside <= at <= place.beside + window:
                continue
            place.known = True  # it is told of, once
            caller.unknown -= 1
            found.append(self._alert(entry, caller, (name, network), place))
        return found

    def _alert(self, entry: Call, caller: _Caller, networks: tuple[str, str], new: _Place) -> Alert:
        name, (network, known) = entry.caller or "", networks
        times = "once" if new.count == 1 else f"{new.count} times"
        others = sum(each.known for each in caller.places.values()) - 1
        return alert(
            self.slug,
            (name, network),
            "high",
            f"{shown(name)} called from {network}, where it never was, {times}, and from {known} before and after that;"
            f" it is known at {others} {'network' if others == 1 else 'networks'}",
            time=entry.time,
            began=new.began,
            caller=name,
            callee=entry.callee,
            count=new.count,
            calls=(*new.calls, entry.id),
        )

    def _network_of(self, address: str) -> str | None:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return None
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        bits = self.settings.ipv4_bits if ip.version == 4 else self.settings.ipv6_bits  # noqa: PLR2004 - of IP
        return str(ipaddress.ip_network((ip, bits), strict=False))

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        return self._callers.evicted + self._dropped

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return save((self._callers.dump(), self._dropped))

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        callers = list[tuple[str, _Caller]]
        kept, self._dropped = load(state, tuple[tuple[callers, callers, int], int])
        self._callers.load(kept)
