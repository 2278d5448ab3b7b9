"""Calls that go on and on while something happens, and an account of every one of them."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.system import wire
from tests.system.guarded import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from tests.system.guarded import Guarded


@dataclass(frozen=True)
class Made:
    """One call: what was asked, and the answer's status; 0 where there was none."""

    at: float
    path: str
    method: str
    status: int
    closed: str


class Load:
    """Calls as `checkout` through its egress, which may read orders and not delete them, and directly as `reader`.

    Each thread keeps its connection; every third call is one that must be refused. With `direct`, one thread more
    makes a handshake for each call, with a certificate of the CA that signs at that moment.
    """

    def __init__(self, system: Guarded, *, threads: int = 2, pause: float = 0.005, direct: bool = True) -> None:
        self._system = system
        self._pause = pause
        self.nonce = secrets.token_hex(6)
        self.made: list[Made] = []
        self.certificates: set[bytes] = set()  # what the callee presented
        self._stop = threading.Event()
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self._guarded, args=(self._by_egress, n)) for n in range(threads)]
        if direct:
            self.threads.append(threading.Thread(target=self._guarded, args=(self._directly, threads)))

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        eventually("the first calls", lambda: self.errors or len(self.made) > 3 * len(self.threads))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self.threads:
            thread.join()

    def go_on(self, seconds: float) -> None:
        """Let it run for a while."""
        time.sleep(seconds)

    def statuses(self, since: float = 0) -> Counter[tuple[str, int]]:
        return Counter((each.method, each.status) for each in self.made if each.at >= since)

    def failed(self) -> list[Made]:
        """Return the calls that were not answered as the policy says."""
        return [each for each in self.made if each.status != (200 if each.method == "GET" else 403)]

    def unrecorded(self, near: Sequence[float] = ()) -> tuple[list[str], list[str]]:
        """Wait until all calls are in the record; return what is missing there, and what is there more than once.

        It does not wait for calls that were begun in the half second before one of the moments `near`. Those may also
        stand there twice, once by each enforcer: an Envoy that is killed may have logged a call whose answer it had not
        sent yet, so that the caller's Envoy says that the callee could not be reached.
        """
        made = {each.path for each in self.made if each.status}
        doubtful = {each.path for each in self.made if any(moment - 0.5 < each.at < moment for moment in near)}
        expected = made - doubtful

        def found() -> Counter[tuple[str, str]]:
            calls = self._system.calls()
            return Counter(
                (call.full_path, call.enforcer) for call in calls if call.full_path and self.nonce in call.full_path
            )

        def paths() -> Counter[str]:
            return Counter(path for path, _ in found())

        eventually("the calls in the record", lambda: expected <= paths().keys())
        by_one = {path for (path, _), count in found().items() if count > 1}
        by_both = {path for path, count in paths().items() if count > 1} - doubtful
        return sorted(made - paths().keys()), sorted(by_one | by_both)

    def _guarded(self, run: object, number: int) -> None:
        assert callable(run)
        try:
            run(number)
        except BaseException as error:
            self.errors.append(error)
            raise

    def _next(self, thread: int, number: int) -> tuple[str, str]:
        return "DELETE" if number % 3 == 2 else "GET", f"/orders/{self.nonce}-{thread}-{number}"

    def _by_egress(self, thread: int) -> None:
        address = self._system.egress("checkout")
        credential = wire.basic(self._system.running("checkout").credential)
        number = 0
        while not self._stop.is_set():
            with wire.Connection.plain(address) as connection:
                closed = False
                while not closed and not self._stop.is_set():
                    method, path = self._next(thread, number)
                    number += 1
                    at = time.monotonic()
                    target = f"http://orders{path}"
                    answer = connection.call(method, target, host="orders", proxy_authorization=credential)
                    self.made.append(Made(at, path, method, answer.status, answer.closed))
                    closed = not answer.status or answer.header("connection") == "close"
                    self._stop.wait(self._pause)

    def _directly(self, thread: int) -> None:
        number = 0
        while not self._stop.is_set():
            method, path = self._next(thread, number)
            number += 1
            at = time.monotonic()
            try:
                with self._system.connect("orders", "reader") as connection:
                    presented = connection.socket.getpeercert(binary_form=True)  # type: ignore[attr-defined]  # by TLS
                    answer = connection.call(method, path, host="orders")
            except OSError as error:
                answer = wire.Answer(0, [], b"", str(error))
            else:
                self.certificates.add(presented)
            self.made.append(Made(at, path, method, answer.status, answer.closed))
            self._stop.wait(4 * self._pause)
