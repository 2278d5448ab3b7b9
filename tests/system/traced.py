"""A service that only calls: once, in a span of OpenTelemetry's own SDK, whose ids it writes down. For `run` lines."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider


def main(url: str, noted: str) -> None:
    trace.set_tracer_provider(TracerProvider())
    with trace.get_tracer("tests").start_as_current_span("a caller's own work") as span:
        headers: dict[str, str] = {}
        inject(headers)
        while True:
            try:
                with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310 - http
                    answer.read()
                break
            except urllib.error.URLError:
                time.sleep(0.1)  # the callee is being started
        context = span.get_span_context()
    Path(f"{noted}.new").write_text(f"{context.trace_id:032x} {context.span_id:016x}")
    Path(f"{noted}.new").replace(noted)
    time.sleep(86400)


if __name__ == "__main__":
    main(*sys.argv[1:])
