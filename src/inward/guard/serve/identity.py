"""The service's own identity from files that are replaced in place, and the TLS context made of them.

Three PEM files: the SVID (leaf first), its private key, and the trust bundle. They are looked at when a connection is
made, and at most every `LOOK_SECONDS`; another identity is taken over as a whole or not at all. Files that do not fit
together, because one has been replaced and the other not yet, leave the identity before in use until they do.

TLS 1.3 only, as between Envoys. It leaves out who may call: the context lets nobody in whom the bundle does not verify,
and `guard.serve.connection` asks the rules of X509-SVID on top, which OpenSSL does not know.
"""

from __future__ import annotations

import logging
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.errors import InwardError
from inward.identity.bundle import TrustBundle
from inward.identity.private_files import read_private
from inward.identity.svid import X509SVID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.identity.spiffe_id import SpiffeID

LOOK_SECONDS = 0.1
ALPN = "http/1.1"
_logger = logging.getLogger("inward.guard")

State = tuple[tuple[int, int, int] | None, ...]


class ServedIdentityError(InwardError):
    """The files hold no identity that this service could be served with."""

    code = "served_identity"


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """Where the identity lies. All three files are private, in private folders."""

    svid: Path
    key: Path
    bundle: Path

    def state(self) -> State:
        """Return what changes when one of the files is replaced."""
        return tuple(_state(path) for path in (self.svid, self.key, self.bundle))


@dataclass(frozen=True, slots=True)
class Identity:
    """One version of the identity. `svid_pem` is the chain as text, for the scope's `tls` extension."""

    svid: X509SVID
    bundle: TrustBundle
    context: ssl.SSLContext = field(repr=False)
    svid_pem: str = field(repr=False)


class FollowedIdentity:
    """The identity of the service `spiffe_id` in `files`. Raises `ServedIdentityError` where there is none yet."""

    def __init__(self, files: IdentityFiles, spiffe_id: SpiffeID, clock: Callable[[], float] = time.monotonic) -> None:
        self.spiffe_id = spiffe_id
        self._files = files
        self._clock = clock
        self._seen = files.state()
        self._look_at = clock() + LOOK_SECONDS
        try:
            self._identity = self._load()
        except (InwardError, OSError, ValueError) as error:
            raise ServedIdentityError(
                f"there is no identity for `{spiffe_id}`: {_said(error)}",
                hint="start the service by `inward up`, which writes it",
            ) from error

    def current(self) -> Identity:
        """Return the identity in use; never raises, and costs a microsecond where nothing has changed."""
        now = self._clock()
        if now < self._look_at:
            return self._identity
        self._look_at = now + LOOK_SECONDS
        state = self._files.state()
        if state != self._seen:
            try:
                self._identity = self._load()
                self._seen = state
            except (InwardError, OSError, ValueError) as error:
                # Mostly one file is new and the other will be in a moment. It is tried again at every look.
                _logger.warning("the identity before stays in use: %s", _said(error))
        return self._identity

    def _load(self) -> Identity:
        before = self._files.state()
        svid = X509SVID.parse(_content(self._files.svid), _content(self._files.key))
        if svid.spiffe_id != self.spiffe_id:
            raise ServedIdentityError(f"the SVID is that of `{svid.spiffe_id}`")
        bundle = TrustBundle.parse_pem(_content(self._files.bundle), self.spiffe_id.trust_domain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an authority of a bundle need not have signed itself
        # INVARIANT: no resumption. A resumed session would skip the check of a certificate that has expired since,
        # or whose CA has left the bundle.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        context.set_alpn_protocols([ALPN])
        context.load_verify_locations(cadata=bundle.pem.decode("ascii"))
        context.load_cert_chain(self._files.svid, self._files.key)
        if self._files.state() != before:  # the context reads the files itself: it must be what was looked at
            raise ServedIdentityError("the files are being replaced")
        return Identity(svid, bundle, context, svid.chain_pem.decode("ascii"))


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns, status.st_size


def _content(path: Path) -> bytes:
    content = read_private(path)
    if content is None:
        raise ServedIdentityError(f"there is no file `{path}`")
    return content


def _said(error: Exception) -> str:
    return error.message if isinstance(error, InwardError) else f"{type(error).__name__}: {error}"
