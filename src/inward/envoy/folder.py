"""The private folder of one Envoy: the files that it watches, replaced by a rename, and only when they differ."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from inward.identity.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from inward.envoy.resources.proto import Resource

# The statistic in which Envoy says which version of a file it enforces.
VERSION_STATS = {
    "clusters.json": "cluster_manager.cds.version_text",
    "routes.json": "http.ingress.rds.ingress.version_text",
    "egress.json": "http.egress.rds.egress.version_text",
    "quarantine.json": "extension_config_discovery.http_filter.quarantine.version_text",
    "svid.json": "sds.svid.version_text",
    "bundle.json": "sds.bundle.version_text",
}


@dataclass
class EnvoyFolder:
    """What was written for one Envoy, and under which versions. `path` is a folder of mode 0700."""

    path: Path
    written: dict[str, str] = field(default_factory=dict)  # file name → version

    def write(self, name: str, resources: Sequence[Resource], version: str | None = None) -> bool:
        """Replace the file `name`; return whether it changed. Its version is that of its content if none is given."""
        body = msgspec.json.encode(resources)
        version = version or hashlib.sha256(body).hexdigest()[:12]
        if self.written.get(name) == version:
            return False
        envelope = b'{"version_info":%s,"resources":%s}' % (msgspec.json.encode(version), body)
        write_private(self.path / name, envelope)
        self.written[name] = version
        return True

    def recall(self, names: Iterable[str] = VERSION_STATS) -> None:
        """Learn from the files themselves what another process wrote."""
        for name in names:
            try:
                self.written[name] = msgspec.json.decode((self.path / name).read_bytes(), type=_Envelope).version_info
            except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
                self.written.pop(name, None)

    def outdated(self, enforced: Mapping[str, str]) -> dict[str, str]:
        """Return the files whose version Envoy does not enforce yet (`enforced`: statistic → version)."""
        return {
            name: version
            for name, version in self.written.copy().items()  # another thread may be writing
            if name in VERSION_STATS and VERSION_STATS[name] in enforced and enforced[VERSION_STATS[name]] != version
        }


class _Envelope(msgspec.Struct):
    version_info: str
