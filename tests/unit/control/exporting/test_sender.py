"""One request over real HTTP: what each answer means, and what a hostile receiver cannot do."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.receiver import Receiver, Reply

from inward.control.exporting.sender import MOST_WAIT_SECONDS, Sender, retry_seconds
from inward.control.exporting.settings import Destination
from inward.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.exporting.answer import Answer


def send(url: str, **more: Any) -> Answer:
    async def once() -> Answer:
        sender = Sender(Destination(name="ocsf", url=url, **more), "application/json")
        try:
            return await sender.send(b"[]")
        finally:
            await sender.close()

    return asyncio.run(once())


def answered(reply: Reply, **more: Any) -> Answer:
    with Receiver(lambda _: reply) as receiver:
        return send(f"{receiver.url}/in", **more)


def test_what_is_sent() -> None:
    with Receiver() as receiver:
        found = send(f"{receiver.url}/in?a=b", headers={"authorization": "Bearer s3cret", "content-type": "mine"})
        assert found.kind == "taken"
        (request,) = receiver.requests
    assert (request.path, request.body) == ("/in?a=b", b"[]")
    assert request.headers["authorization"] == "Bearer s3cret"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("inward/")


def test_it_is_compressed_where_that_is_asked_for() -> None:
    with Receiver() as receiver:
        assert send(receiver.url, gzip=True).kind == "taken"
        assert receiver.requests[0].headers["content-encoding"] == "gzip"
        assert receiver.requests[0].body == b"[]"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_success_is_one(status: int) -> None:
    assert answered(Reply(status)).kind == "taken"


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as elsewhere:
        found = answered(Reply(status, {"location": elsewhere.url}), headers={"authorization": "s3cret"})
        assert elsewhere.requests == []
    assert (found.kind, found.why) == ("away", f"it answers {status}, and redirects are not followed")


@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 408, 429, 502, 503, 504])
def test_what_is_of_the_destination_may_be_tried_again(status: int) -> None:
    found = answered(Reply(status, {"retry-after": "7"}))
    assert (found.kind, found.wait, found.why) == ("away", 7, f"it answers {status}")


@pytest.mark.parametrize(("status", "broken"), [(400, False), (413, False), (422, False), (500, True), (501, True)])
def test_what_may_be_of_the_batch(status: int, broken: bool) -> None:  # noqa: FBT001 - a parameter of the test
    found = answered(Reply(status, body=b"not this"))
    assert (found.kind, found.broken, found.why) == ("unfit", broken, f"it answers {status}: not this")


def test_a_web_page_takes_nothing() -> None:
    assert answered(Reply(200, {"content-type": "text/html; charset=utf-8"}, b"<html>log in")).kind == "away"


def test_what_it_says_is_cut_and_holds_no_secret() -> None:
    said = b"token s3cret-token of\r\nBearer s3cret-token " + b"x" * 100_000
    found = answered(Reply(400, body=said), headers={"authorization": "Bearer s3cret-token"})
    assert "s3cret" not in found.why
    with Receiver(lambda _: Reply(400, body=said)) as receiver:
        assert "s3cret" not in send(f"{receiver.url}/in?token=s3cret-token").why
    assert "\n" not in found.why
    assert len(found.why) < 300


def test_a_receiver_that_never_answers_has_its_time() -> None:
    started = time.monotonic()
    found = answered(Reply(hang=True), timeout=0.3)
    assert (found.kind, found.why) == ("away", "no answer within 0.3 s")
    assert time.monotonic() - started < 5


def test_a_body_without_an_end_is_not_read_to_it() -> None:
    assert answered(Reply(200, endless=True)).kind == "taken"
    assert answered(Reply(503, endless=True)).kind == "away"


def test_a_connection_that_breaks() -> None:
    found = answered(Reply(reset=True))
    assert found.kind == "away"
    assert found.why


def test_nobody_there() -> None:
    with Receiver() as receiver:
        url = receiver.url
    assert send(url).kind == "away"
    assert send("http://nowhere.invalid", timeout=5.0).kind == "away"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a receiver")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, private


def test_tls_is_verified(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    with Receiver(tls=files) as receiver:
        assert send(receiver.url).kind == "away"
        assert receiver.requests == []
        assert send(receiver.url, authorities=files[0]).kind == "taken"
        assert send(receiver.url.replace("127.0.0.1", "localhost"), authorities=files[0]).kind == "away"


def test_certificates_that_are_none_are_an_error(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("none")
    for authorities, certificate in ((wrong, None), (None, wrong)):
        destination = Destination(
            name="ocsf", url="https://siem.example?t=s3cret", authorities=authorities, certificate=certificate
        )
        with pytest.raises(BadInputError, match="cannot be used") as caught:
            Sender(destination, "application/json")
        assert "s3cret" not in caught.value.advice


def test_how_long_to_wait() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < retry_seconds(format_datetime(soon, usegmt=True)) <= 100
    assert retry_seconds("0") == 0
    assert retry_seconds("99999999999999999999") == MOST_WAIT_SECONDS
    for text in ("", "soon", "-5", "1.5", "Fri, 99 Nov 2026", "\u0663", format_datetime(soon - timedelta(days=1))):
        assert retry_seconds(text) == 0
