"""Published programs: each runs by its `run` line and has the operations that were written down for it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("examples-unmodified")


@pytest.fixture
def lab(start_example: Callable[[str], Any]) -> Any:
    return start_example("unmodified")


def content_of(call: Any) -> tuple[bytes | None, dict[str, str]]:
    """Return a documented call's body and headers."""
    if call.body is None:
        return None, {}
    if call.content_type != "multipart/form-data":
        return json.dumps(call.body).encode(), {"Content-Type": call.content_type}
    parts = [
        f'--cut\r\nContent-Disposition: form-data; name="{name}"'
        + (f'; filename="{value}"' if name == "content" else "")
        + f"\r\n\r\n{value}\r\n"
        for name, value in call.body.items()
    ]
    return "".join([*parts, "--cut--\r\n"]).encode(), {"Content-Type": "multipart/form-data; boundary=cut"}


def test_every_documented_operation_answers_as_documented(lab: Any, read_document: Callable[[Path], Any]) -> None:
    asked, wrong = 0, []
    for service, about in lab.services.items():
        for call in read_document(lab.folder / about["api"]).requests() if "api" in about else ():
            answer = lab.ask(service, call.method, call.path, *content_of(call))
            asked += 1
            told = f"{service}:{call.name}: {answer.status} {answer.headers} {answer.content[:200]!r}"
            media = answer.headers.get("content-type", "").partition(";")[0]
            if answer.status != call.status or call.media not in {None, media}:
                wrong.append(told)
            elif media == "application/json":
                wrong += [f"{told}: {fault}" for fault in call.faults(json.loads(answer.content))]
    assert not wrong
    assert asked == 21


def test_the_traffic_reaches_its_operations(lab: Any) -> None:
    """Without Inward nothing is refused: the programs themselves would tell everything to everybody."""
    calls = json.loads((lab.folder / "traffic.json").read_text())["calls"]
    assert len([call for call in calls if call["expect"] == "refused"]) >= 8
    # what the programs do with a call that Inward refuses, where it is not to answer it with 200
    otherwise = {"/simple/inward-sample": 301, "/status/503": 503, "/redirect-to": 302, "/": 400}
    for call in calls:
        assert call["caller"] in lab.services
        url = urlsplit(call["url"])
        path = url.path + (f"?{url.query}" if url.query else "")
        body = json.dumps(call["body"]).encode() if "body" in call else None
        headers = {"Content-Type": "application/json"} if "body" in call else {}
        answer = lab.ask(url.netloc, call["method"], path, body, headers)
        expected = call.get("status", otherwise.get(url.path, 200))
        assert answer.status == expected, f"{call}: {answer.status} {answer.content[:300]!r}"


def test_datasette_has_another_way_to_write_a_table(lab: Any) -> None:
    """Why the conditions name what is granted: a forbid of `staff` would not have kept this out."""
    plain, encoded = (lab.ask("datasette", "GET", f"/lab/{table}.json?_shape=array") for table in ("staff", "~73taff"))
    assert plain.status == encoded.status == 200
    assert json.loads(plain.content) == json.loads(encoded.content) != []


@pytest.mark.parametrize("query", ["sql=select+1", "_where=1=1"])
def test_datasette_takes_no_sql(lab: Any, query: str) -> None:
    path = "/lab.json" if query.startswith("sql") else "/lab/sales.json"
    assert lab.ask("datasette", "GET", f"{path}?{query}").status == 403


def test_datasette_follows_no_table_to_another(lab: Any) -> None:
    through = "%7B%22table%22:%22staff%22,%22column%22:%22name%22,%22value%22:%22Kim+Tran%22%7D"
    answer = lab.ask("datasette", "GET", f"/lab/sales.json?_through={through}")
    assert answer.status == 500
    assert "could not find corresponding foreign key" in json.loads(answer.content)["error"]


def test_a_service_of_the_shop_tells_httpbin_of_a_new_price(lab: Any) -> None:
    while not lab.seen.empty():
        lab.seen.get()
    headers = {"Content-Type": "application/json"}
    path = "/api/v2/products/TEA-002/price"
    assert lab.ask("products", "PUT", path, b'{"price": 1500}', headers).status == 200
    told = lab.seen.get(timeout=60)
    assert (told.service, told.method, told.path, told.status) == ("httpbin", "POST", "/anything/prices", 200)


def test_the_analyst_reads_sales_and_sets_a_price(lab: Any) -> None:
    lab.start("analyst")
    seen: list[Any] = []
    while not seen or seen[-1].service != "products":
        seen.append(lab.seen.get(timeout=60))
    lab.end("analyst")
    assert seen[-1].status == 200
    assert any(call.service == "datasette" and call.path.startswith("/lab/sales.json?") for call in seen)


def test_the_builder_fetches_a_wheel_with_pip(lab: Any) -> None:
    lab.start("builder")
    seen: list[Any] = []
    while not seen or not seen[-1].path.endswith(".whl"):
        seen.append(lab.seen.get(timeout=60))
    lab.end("builder")
    assert [(call.service, call.status) for call in seen if call.service == "packages"] == [("packages", 200)] * 2
    assert seen[-1].path == "/packages/inward_sample-1.0-py3-none-any.whl"


def test_the_wheel_is_whole_and_always_the_same(lab: Any, tmp_path: Path) -> None:
    subprocess.run([sys.executable, lab.folder / "make_packages.py"], cwd=tmp_path, check=True)
    made = tmp_path / "var/packages/inward_sample-1.0-py3-none-any.whl"
    assert made.read_bytes() == lab.ask("packages", "GET", f"/packages/{made.name}").content
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--isolated",
        "install",
        "--no-index",
        "--no-deps",
        "--target",
        "there",
    ]
    subprocess.run([*pip, str(made)], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "there/inward_sample.py").exists()
    with zipfile.ZipFile(made) as wheel:
        assert wheel.testzip() is None


def test_the_database_is_whole_however_often_it_is_made(lab: Any, tmp_path: Path) -> None:
    command = [sys.executable, lab.folder / "make_db.py"]
    both = [subprocess.Popen(command, cwd=tmp_path) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["lab.db"]
    with closing(sqlite3.connect(tmp_path / "var/lab.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM sales").fetchone() == (500,)
