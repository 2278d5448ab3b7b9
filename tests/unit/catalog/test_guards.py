"""What `guard` in inward.yaml says of a service, and which of it cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.catalog.system import load_catalog

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Service
    from inward.errors import Mistake

SERVE = "python -m inward.guard.serve shop.orders:app"


def load(folder: Path, *lines: str) -> tuple[Service | None, list[Mistake]]:
    text = "trust_domain: a.test\nservices:\n  orders:\n    owner: team-orders\n"
    (folder / "inward.yaml").write_text(text + "".join(f"    {line}\n" for line in lines))
    catalog, mistakes = load_catalog(folder)
    return (catalog.services.get("orders") if catalog else None), mistakes


@pytest.mark.parametrize(
    ("lines", "guarded", "serves_tls"),
    [
        ([], False, False),
        (["guard: false"], False, False),
        (["guard: true", "run: serve {socket}", "listen: 127.0.0.1:0"], True, False),
        (["guard: tls", f"run: {SERVE}", "listen: 127.0.0.1:0"], True, True),
    ],
)
def test_it_says_whether_there_is_a_guard_and_who_serves_tls(
    tmp_path: Path, lines: list[str], *, guarded: bool, serves_tls: bool
) -> None:
    service, mistakes = load(tmp_path, *lines)
    assert mistakes == []
    assert service is not None
    assert (service.guarded, service.serves_tls) == (guarded, serves_tls)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (["guard: true", "run: serve {port}", "listen: 127.0.0.1:0"], "a guard can only trust who calls where"),
        (["guard: true"], "a guard can only trust who calls where"),
        (["guard: tls", "listen: 127.0.0.1:0"], "takes calls itself"),
        (["guard: tls", f"run: {SERVE}"], "takes calls itself"),
        (["guard: tls", "run: uvicorn shop:app", "listen: 127.0.0.1:0"], "`run` has no `inward.guard.serve`"),
        (["guard: tls", f"run: {SERVE} {{socket}}", "listen: 127.0.0.1:0"], "`run` has `{socket}`"),
        (["guard: tls", f"run: {SERVE} {{port}}", "listen: 127.0.0.1:0"], "`run` has `{port}`"),
        (["guard: TLS", f"run: {SERVE}", "listen: 127.0.0.1:0"], "must be"),
        (["guard: [tls]", f"run: {SERVE}", "listen: 127.0.0.1:0"], "must be"),
    ],
)
def test_what_cannot_work_is_a_mistake(tmp_path: Path, lines: list[str], what: str) -> None:
    _, mistakes = load(tmp_path, *lines)
    assert [each for each in mistakes if what in each.what], mistakes
    assert all(each.place.line > 3 for each in mistakes)


def test_grpc_is_not_served_without_an_envoy(tmp_path: Path) -> None:
    (tmp_path / "orders.proto").write_text(
        'syntax = "proto3";\npackage shop;\nservice Orders { rpc Get(Order) returns (Order); }\nmessage Order {}\n'
    )
    _, mistakes = load(tmp_path, "guard: tls", f"run: {SERVE}", "listen: 127.0.0.1:0", "api: orders.proto")
    assert [each for each in mistakes if "gRPC needs HTTP/2" in each.what], mistakes
