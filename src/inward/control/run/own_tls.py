"""What a run gives a service that serves TLS itself: its identity as PEM files, and where everything lies.

The files are replaced one by one, and its server takes them over when they fit together: `guard.serve.identity`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.guard.serve.environment import Given
from inward.guard.serve.log import KIND
from inward.identity.private_files import private_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Address, Service
    from inward.control.layout import Layout
    from inward.identity.bundle import TrustBundle
    from inward.identity.svid import X509SVID


def given(service: Service, listen: Address, layout: Layout) -> Given:
    """Return what a service is told."""
    folder = identity_folder(layout, service.name)
    return Given(
        spiffe_id=service.spiffe_id,
        listen=listen,
        svid=folder / "svid.pem",
        key=folder / "svid.key",
        bundle=folder / "bundle.pem",
        quarantine=layout.quarantine,
        log=layout.log(service.name) / f"{KIND}.log",
    )


def identity_folder(layout: Layout, service: str) -> Path:
    """Return the folder of a service's PEM files."""
    return layout.service(service).path / "tls"


class PEMFiles:
    """The identity of one service as PEM files in `folder`, which is made where it is missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)
        self._bundle = b""
        self._serial: int | None = None

    def write_bundle(self, bundle: TrustBundle) -> None:
        """Write the trust bundle, where it has changed."""
        if bundle.pem != self._bundle:
            write_private(self._folder / "bundle.pem", bundle.pem)
            self._bundle = bundle.pem

    def write_svid(self, svid: X509SVID) -> None:
        """Write an SVID and its key, where it has changed."""
        if svid.serial != self._serial:
            write_private(self._folder / "svid.key", svid.key_pem)
            write_private(self._folder / "svid.pem", svid.chain_pem)
            self._serial = svid.serial
