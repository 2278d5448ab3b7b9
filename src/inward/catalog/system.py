"""Loads a system folder: `inward.yaml` and the API descriptions that it names become a catalog, or mistakes.

Every mistake is collected; one does not hide the others. What cannot be known because of a mistake is left
out of the catalog, never guessed.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from inward.catalog.document import Value, did_you_mean, shown
from inward.catalog.folder import SystemFolder
from inward.catalog.guards import is_guarded, serves_tls
from inward.catalog.model import Address, Catalog, DataClass, InvalidAddressError, Mode, Operation, Service, Undisclosed
from inward.catalog.openapi.keeping import load_operations
from inward.catalog.openapi.marks import NO_DATA
from inward.catalog.openapi.operations import Modes
from inward.catalog.privacy import load_privacy
from inward.catalog.protobuf.methods import describes_methods, load_methods
from inward.catalog.resolve import unambiguous
from inward.catalog.retention import load_keep
from inward.catalog.users import load_users
from inward.identity.spiffe_id import InvalidSpiffeIDError, SpiffeID, parse_trust_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inward.catalog.kept import DocumentMemo
    from inward.errors import Mistake

FILE = "inward.yaml"
_KEYS = ("trust_domain", "services", "data", "users", "alerts", "record")
_SERVICE_KEYS = ("owner", "zone", "groups", "api", "overlay", "listen", "mode", "operations", "run", "guard", "sample")
_SERVICE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # a DNS label (RFC 1123 section 2.1), lower case
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_DATA_CLASS = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,7}")


@dataclass(frozen=True, slots=True)
class LoadedSystem:
    """What reading a system folder gave.

    `catalog` is to be enforced only where `mistakes` is empty. With mistakes it holds what could be read, so
    that the policies can be checked in the same run; it is None where services or whole API descriptions are
    missing from it, since policies that name those would be blamed wrongly. `files` are relative to the
    folder: each file that the system consists of, and those that were looked for and are not there.
    """

    catalog: Catalog | None
    mistakes: tuple[Mistake, ...]
    files: tuple[str, ...]


def load_system(
    folder: Path, memo: DocumentMemo | None = None, watch: Callable[[int, int], None] | None = None
) -> LoadedSystem:
    """Read the system in `folder`. Never raises for what is in the folder: see `LoadedSystem.mistakes`.

    `memo` is what files were parsed as before, and is added to. `watch` is told how many services are read, of how
    many.
    """
    reader = _Reader(SystemFolder(folder, memo), watch)
    catalog = reader.catalog()
    files = reader.folder.files | set(policy_files(folder))
    return LoadedSystem(catalog, tuple(sorted(set(reader.folder.mistakes))), tuple(sorted(files)))


def load_catalog(folder: Path) -> tuple[Catalog | None, list[Mistake]]:
    """Return the catalog of the system in `folder` and every mistake in it: see `LoadedSystem`."""
    loaded = load_system(folder)
    return loaded.catalog, list(loaded.mistakes)


def policy_files(folder: Path) -> tuple[str, ...]:
    """Return a system's policy files, sorted, relative to it.

    They are `policies/*.cedar`, `policies/*.cedarschema` (the types of objects) and `guardrails.cedar`.
    """
    try:
        found = [
            f"policies/{path.name}"
            for kind in ("*.cedar", "*.cedarschema")
            for path in (folder / "policies").glob(kind)
        ]
    except FileNotFoundError:  # taken away while it was listed
        found = []
    if (folder / "guardrails.cedar").exists():
        found.append("guardrails.cedar")
    return tuple(sorted(found))


class _Reader:
    """Reads one system folder; `whole` turns false when something that policies may name is lost."""

    def __init__(self, folder: SystemFolder, watch: Callable[[int, int], None] | None) -> None:
        self.folder = folder
        self.whole = True
        self._watch = watch
        self._listening: list[tuple[Address, str]] = []
        self._data_names: frozenset[str] = frozenset()

    def catalog(self) -> Catalog | None:
        root = self.folder.open(FILE, hint="run `inward init` to begin one")
        if root is None or not root.is_a(dict):
            return None
        root.check_keys(_KEYS)
        trust_domain = self._trust_domain(root)
        data_classes = self._data_classes(root)
        self._add_overlays(root)
        users = load_users(root, self.folder, trust_domain or "unknown")
        services = self._services(root, trust_domain or "unknown")  # read to find their mistakes
        operations = {each.id: each for service in services.values() for each in service.operations}
        privacy = load_privacy(root, self._data_names, operations if self.whole else None)
        keep = load_keep(root)
        if trust_domain is None or not self.whole:
            return None
        parts = (MappingProxyType(services), MappingProxyType(data_classes), users, privacy, keep)
        return Catalog(trust_domain, *parts)

    def _trust_domain(self, root: Value) -> str | None:
        value = root.need("trust_domain", "such as `shop.internal`")
        text = value.text() if value else None
        if value is None or text is None:
            return None
        try:
            return parse_trust_domain(text)
        except InvalidSpiffeIDError as error:
            value.mistake(shown(error.message, 300), error.hint)
            return None

    def _services(self, root: Value, trust_domain: str) -> dict[str, Service]:
        services: dict[str, Service] = {}
        listed = root.need("services", "list at least one")
        folded: dict[str, str] = {}
        for number, (name, value) in enumerate(listed.entries() if listed else ()):
            if self._watch is not None and listed is not None and isinstance(listed.data, dict):
                self._watch(number, len(listed.data))
            same = folded.setdefault(name.casefold(), name)
            if same != name:
                value.mistake(f"the services `{shown(name)}` and `{shown(same)}` differ in case only")
            service = self._service(name, value, trust_domain)
            if service is None:
                self.whole = False
            else:
                services[name] = service
        if listed is None or not isinstance(listed.data, dict):
            self.whole = False
        return services

    def _service(self, name: str, value: Value, trust_domain: str) -> Service | None:
        named = _SERVICE_NAME.fullmatch(name) is not None
        if not named:
            value.mistake(
                f"`{shown(name)}` cannot be the name of a service",
                "use lower-case letters (a to z), digits and dashes, 63 at most",
            )
        if not value.is_a(dict):
            return None
        value.check_keys(_SERVICE_KEYS)
        owner = _name(value.need("owner", "name the team that grants its operations"))
        listen = self._listen(name, value.get("listen"))
        mode = _mode(value.get("mode")) or Mode.ENFORCE
        operations = self._operations(name, value, mode)
        if value.get("api") and not value.get("listen"):
            value.mistake(f"{value.label} has an `api` and no `listen`", "give it an address, such as `127.0.0.1:7001`")
        run = _run(value)
        if owner is None or not named:
            return None
        return Service(
            name=name,
            spiffe_id=SpiffeID.of_service(trust_domain, name),
            owner=owner,
            zone=_name(value.get("zone")),
            groups=tuple(_groups(value.get("groups"))),
            mode=mode,
            listen=listen,
            run=run,
            operations=operations,
            place=value.place,
            guarded=is_guarded(value, operations),
            serves_tls=serves_tls(value),
            sample=sample.share() if (sample := value.get("sample")) else None,
        )

    def _listen(self, name: str, value: Value | None) -> Address | None:
        text = value.text() if value else None
        if value is None or text is None:
            return None
        try:
            address = Address.parse(text)
        except InvalidAddressError as error:
            value.mistake(shown(error.message), error.hint)
            return None
        for other, service in self._listening:
            if address.clashes_with(other):
                value.mistake(f"`{address}` is taken: `{service}` listens on `{other}`", "choose another port")
                break
        self._listening.append((address, name))
        return address

    def _operations(self, name: str, value: Value, mode: Mode) -> tuple[Operation, ...]:
        overrides, places = _overrides(value.get("operations"))
        found: list[Operation] = []
        complete = True
        for api in _one_or_more(value.get("api")):
            load = load_methods if describes_methods(str(api.data)) else load_operations
            described = load(self.folder, api, name, Modes(mode, overrides), self._data_names)
            complete &= described is not None
            found.extend(described or ())
        self.whole &= complete
        operations, mistakes = unambiguous(found)
        self.folder.mistakes.extend(mistakes)
        names = {operation.name for operation in operations}
        for unknown in places.keys() - {operation.name for operation in found} if complete else ():
            places[unknown].mistake(f"`{name}` has no operation `{shown(unknown)}`", did_you_mean(unknown, names))
        return operations

    def _add_overlays(self, root: Value) -> None:
        """Tell the folder which overlays change which documents, before any document is opened."""
        services = root.get("services")
        for name, service in services.entries() if services and isinstance(services.data, dict) else ():
            overlays = list(_one_or_more(service.get("overlay")))
            apis = [api for value in _one_or_more(service.get("api")) if isinstance(api := value.data, str)]
            if overlays and not apis:
                overlays[0].mistake(f"`{shown(name)}` has an `overlay` and no `api`", "name the document it changes")
                continue
            for overlay in overlays:
                text = overlay.text()
                document = self.folder.open(text, overlay, plain=True) if text else None
                changed = _changed_by(document, apis) if document else None
                if text is not None and changed is not None:
                    self.folder.add_overlay(changed, text)

    def _data_classes(self, root: Value) -> dict[str, DataClass]:
        listed = root.get("data")
        found: dict[str, tuple[str, Undisclosed | None, Value]] = {}
        for name, value in listed.entries() if listed else ():
            self._data_names |= {name}
            named = _DATA_CLASS.fullmatch(name) is not None and name != NO_DATA
            if not named:
                value.mistake(
                    f"`{shown(name)}` cannot be the name of a data class",
                    "such as `pii.email`, in lower case" if name != NO_DATA else "it marks what is no data",
                )
            owner, undisclosed = None, None
            if value.is_a(dict):
                value.check_keys(("owner", "undisclosed"))
                owner = _name(value.need("owner", "name the team that may grant that it is shown"))
                undisclosed = _undisclosed(value.get("undisclosed"))
            if named and owner is not None:
                found[name] = (owner, undisclosed, value)
            else:
                self.whole = False
        classes: dict[str, DataClass] = {}
        for name in sorted(found, key=len):  # what is above comes first
            owner, undisclosed, value = found[name]
            parent = next((above for above in _above(name) if above in found), None)
            inherited = classes[parent].undisclosed if parent else "drop"
            classes[name] = DataClass(name, owner, parent, value.place, undisclosed or inherited)
        return {name: classes[name] for name in found}


def _above(data_class: str) -> Iterator[str]:
    """Yield the names over a data class, the nearest first: `a.b` and `a` over `a.b.c`."""
    while "." in data_class:
        data_class = data_class.rpartition(".")[0]
        yield data_class


def _undisclosed(value: Value | None) -> Undisclosed | None:
    text = value.text() if value else None
    known: dict[str, Undisclosed] = {action: action for action in get_args(Undisclosed)}
    if value is not None and text is not None and text not in known:
        value.mistake(f"`{shown(text)}` is nothing that can be done with undisclosed data", did_you_mean(text, known))
    return known.get(text or "")


def _changed_by(overlay: Value, apis: list[str]) -> str | None:
    """Return the document that an overlay changes, of those of its service; None, and a mistake, where it is unclear.

    `extends` names it, as seen from the overlay. It may be a URL where there is no choice, since nothing is fetched.
    """
    extends = overlay.get("extends")
    text = extends.text() if extends else None
    if extends is None or text is None or (len(apis) == 1 and _URL.match(text)):
        if len(apis) > 1 and extends is None:
            overlay.mistake(
                "the overlay does not say which document it changes", "write `extends:` with one of " + _listed(apis)
            )
        return apis[0] if len(apis) == 1 and (extends is None or text is not None) else None
    named = posixpath.normpath(posixpath.join(posixpath.dirname(overlay.document.name), text))
    if named not in map(posixpath.normpath, apis):
        extends.mistake(f"`{shown(text)}` is no `api` of the service", f"its own are {_listed(apis)}")
        return None
    return named


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{shown(name)}`" for name in names)


def _name(value: Value | None) -> str | None:
    """Return the name of a team, a zone or a group."""
    text = value.text() if value else None
    if value is None or text is None:
        return None
    if not _NAME.fullmatch(text):
        value.mistake(
            f"`{shown(text)}` cannot be a name",
            "use letters, digits, dots, dashes and underscores, 63 at most",
        )
        return None
    return text


def _groups(value: Value | None) -> Iterator[str]:
    seen: set[str] = set()
    for item in value.items() if value else ():
        name = _name(item)
        if name in seen:
            item.mistake(f"the group `{name}` stands here a second time", "keep one")
        elif name:
            seen.add(name)
            yield name


def _one_or_more(value: Value | None) -> Iterator[Value]:
    """Yield the items of a list, or the one text that stands in its place."""
    if value is None:
        return
    if isinstance(value.data, list):
        yield from value.items()
    else:
        yield value


def _mode(value: Value | None) -> Mode | None:
    text = value.text() if value else None
    if value is None or text is None:
        return None
    try:
        return Mode(text)
    except ValueError:
        value.mistake(f"`{shown(text)}` is no mode", "choose `observe` or `enforce`")
        return None


def _overrides(value: Value | None) -> tuple[dict[str, Mode], dict[str, Value]]:
    modes: dict[str, Mode] = {}
    places: dict[str, Value] = {}
    for name, override in value.entries() if value else ():
        places[name] = override
        if override.is_a(dict):
            override.check_keys(("mode",))
            mode = _mode(override.need("mode", "choose `observe` or `enforce`"))
            if mode:
                modes[name] = mode
    return modes, places


def _run(service: Value) -> str | None:
    value = service.get("run")
    text = value.text() if value else None
    if value is None or text is None:
        return None
    try:
        words = shlex.split(text)
    except ValueError as error:
        value.mistake(f"`run` cannot be split into words: {str(error).lower()}")
        return None
    if not words or "\x00" in text:
        value.mistake("`run` is no command")
    places = [place for place in ("{socket}", "{port}") if place in text]
    if serves_tls(service):
        if places:
            value.mistake(
                f"a service with `guard: tls` listens at its `listen`, and `run` has `{places[0]}`",
                "take it out, and run `python -m inward.guard.serve module:app`",
            )
    elif not places and service.get("listen"):
        value.mistake(
            "`run` has no `{socket}` or `{port}`",
            "put one where the program takes the socket or the port to serve on",
        )
    if len(places) > 1:
        value.mistake("`run` has both `{socket}` and `{port}`", "keep one")
    return text
