"""Where the record is sent, by the variables of OpenTelemetry and ours; no error has a secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.control.exporting.settings import LIMIT_BYTES, SECRETS, ExportSettings
from inward.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
OCSF = {"INWARD_OCSF_URL": "https://siem.example/in?token=hidden"}


def read(**environment: str) -> ExportSettings:
    return ExportSettings.from_environment(environment)


def places(**environment: str) -> dict[str, str]:
    return {each.name: each.url for each in read(**environment).destinations}


def test_nothing_is_sent_unless_it_is_asked_for() -> None:
    assert read() == ExportSettings()
    assert read(OTEL_EXPORTER_OTLP_HEADERS="a=b", INWARD_OCSF_HEADERS="a=b").destinations == ()


def test_one_endpoint_for_both_signals() -> None:
    wanted = {"otlp-logs": "http://collector:4318/v1/logs", "otlp-traces": "http://collector:4318/v1/traces"}
    assert places(**COLLECTOR) == wanted
    assert places(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318/") == wanted


def test_an_endpoint_of_one_signal_is_taken_as_it_is() -> None:
    only = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://logs.example/otlp"}
    assert places(**only) == {"otlp-logs": "https://logs.example/otlp"}
    both = {**COLLECTOR, **only}
    assert places(**both)["otlp-logs"] == "https://logs.example/otlp"


@pytest.mark.parametrize(
    ("variables", "left"),
    [
        ({"OTEL_LOGS_EXPORTER": "none"}, {"otlp-traces"}),
        ({"OTEL_TRACES_EXPORTER": "none"}, {"otlp-logs"}),
        ({"OTEL_SDK_DISABLED": "true"}, set()),
        ({"OTEL_SDK_DISABLED": "false"}, {"otlp-logs", "otlp-traces"}),
    ],
)
def test_it_is_switched_off_as_others_are(variables: dict[str, str], left: set[str]) -> None:
    assert set(places(**COLLECTOR, **variables)) == left


def test_all_of_a_destination(tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    file.write_text("PEM")
    found = read(
        **COLLECTOR,
        OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20s3cret,x-tenant=a%2Cb",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-other=1",
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(file),
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=str(file),
        OTEL_EXPORTER_OTLP_CLIENT_KEY=str(file),
        OTEL_EXPORTER_OTLP_TIMEOUT="2500",
        OTEL_EXPORTER_OTLP_LOGS_COMPRESSION="gzip",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test, host.name = here",
        INWARD_EXPORT_LIMIT="5000",
    )
    logs, traces = found.destinations
    assert logs.headers == {"authorization": "Bearer s3cret", "x-tenant": "a,b"}
    assert traces.headers == {"x-other": "1"}
    assert (logs.authorities, logs.certificate, logs.key) == (file, file, file)
    assert (logs.timeout, logs.gzip, traces.gzip) == (2.5, True, False)
    assert found.resource == {"deployment.environment": "test", "host.name": "here"}
    assert found.limit == 5000
    assert "s3cret" not in repr(found)


def test_ocsf() -> None:
    (found,) = read(**OCSF).destinations
    assert (found.name, found.lines, found.timeout) == ("ocsf", False, 10)
    assert found.shown == "https://siem.example/in"
    assert "hidden" not in repr(found)
    (found,) = read(**OCSF, INWARD_OCSF_FORMAT="lines", INWARD_OCSF_HEADERS="authorization=Splunk%20t").destinations
    assert (found.lines, found.headers) == (True, {"authorization": "Splunk t"})
    assert read(**OCSF).limit == LIMIT_BYTES


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://collector:4318", True),
        ("https://collector:4318", False),
        ("http://127.0.0.1:4318", False),
        ("http://localhost:4318", False),
        ("http://[::1]:4318", False),
        ("http://127.0.0.1.evil:4318", True),
    ],
)
def test_what_can_be_read_on_the_way(url: str, plain: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert read(INWARD_OCSF_URL=url).destinations[0].plain is plain


@pytest.mark.parametrize(
    "wrong",
    [
        {"INWARD_OCSF_URL": "siem.example"},
        {"INWARD_OCSF_URL": "ftp://s3cret@siem.example"},
        {"INWARD_OCSF_URL": "https://"},
        {"INWARD_OCSF_URL": "https://siem.example:99999/s3cret"},
        {"INWARD_OCSF_URL": "https://[siem/s3cret"},
        {"INWARD_OCSF_URL": "https://siem.example/\r\nx-y: s3cret"},
        {**OCSF, "INWARD_OCSF_FORMAT": "xml"},
        {**OCSF, "INWARD_OCSF_HEADERS": "s3cret"},
        {**OCSF, "INWARD_OCSF_HEADERS": "=s3cret"},
        {**OCSF, "INWARD_OCSF_HEADERS": "a=s3cret%0d%0ax-y: z"},
        {**OCSF, "INWARD_OCSF_HEADERS": "a b=s3cret"},
        {**OCSF, "INWARD_OCSF_HEADERS": "a=s3cret\u00e9"},
        {**OCSF, "INWARD_OCSF_CERTIFICATE": "/nowhere/to.pem"},
        {**OCSF, "INWARD_OCSF_COMPRESSION": "zstd"},
        {**OCSF, "INWARD_OCSF_TIMEOUT": "10"},
        {**OCSF, "INWARD_OCSF_TIMEOUT": "-1"},
        {**OCSF, "INWARD_OCSF_TIMEOUT": "9" * 5000},
        {**OCSF, "INWARD_OCSF_TIMEOUT": "\u0663\u0663\u0663\u0663"},
        {"INWARD_EXPORT_LIMIT": "1GB"},
        {"INWARD_EXPORT_LIMIT": "9" * 19},
        {**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {**COLLECTOR, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json"},
        {"OTEL_RESOURCE_ATTRIBUTES": "s3cret"},
    ],
)
def test_what_cannot_be_used_is_an_error(wrong: dict[str, str]) -> None:
    with pytest.raises(BadInputError) as caught:
        read(**wrong)
    assert "s3cret" not in caught.value.advice
    assert caught.value.hint


def test_another_protocol_for_the_services_can_stay() -> None:
    assert places(
        **COLLECTOR,
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        OTEL_EXPORTER_OTLP_LOGS_PROTOCOL="http/protobuf",
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
    ) == {"otlp-logs": "http://collector:4318/v1/logs"}


def test_no_service_is_given_what_is_ours() -> None:
    assert set(SECRETS) == {"INWARD_OCSF_HEADERS", "INWARD_OCSF_URL"}
