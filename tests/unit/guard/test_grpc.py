"""What importing the guard of gRPC services takes, and says where it cannot."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_it_imports_little() -> None:
    """A service that uses it loads no Envoy, no server and no command line."""
    heavy = "{'envoy', 'uvicorn', 'typer', 'rich', 'z3', 'psutil', 'httptools', 'cryptography'}"
    done = run(f"import sys, inward.guard.grpc\nprint(sorted({heavy} & set(sys.modules)))")
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("missing", ["grpc", "google.protobuf"])
def test_it_says_what_is_missing(missing: str) -> None:
    done = run(f"import sys; sys.modules[{missing!r}] = None; import inward.guard.grpc")
    assert done.returncode == 1
    told = "ModuleNotFoundError: inward.guard.grpc needs grpcio and protobuf: `pip install inward[grpc]`"
    assert done.stderr.splitlines()[-1] == told


def test_nothing_says_what_is_to_be_guarded() -> None:
    done = run("from inward.guard.grpc import Guard; Guard()")
    assert "inward.guard.bundle.GuardError: nothing says what is to be guarded" in done.stderr


def test_without_inward_it_lets_calls_through_where_that_is_meant() -> None:
    code = """if True:
        import asyncio
        from inward.guard.grpc import AioGuard, Guard
        handler = object()
        print(Guard(allow_unguarded=True).intercept_service(lambda _: handler, None) is handler)
        async def found(_):
            return handler
        print(asyncio.run(AioGuard(allow_unguarded=True).intercept_service(found, None)) is handler)
    """
    assert run(code).stdout == "True\nTrue\n"
