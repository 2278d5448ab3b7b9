"""The sampler as a process: what it is started as, and whether it can be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inward.control.run import fleet
from inward.control.run.fleet import process_names
from inward.control.run.services import SAMPLER, envoy_name
from inward.control.sampling.process import MISSING, can_sample, sampler_process
from inward.control.settings import Settings

if TYPE_CHECKING:
    from inward.control.bundle import Policy
    from inward.control.layout import Layout


def test_it_is_given_folders_and_no_secret(layout: Layout) -> None:
    environment = {"PATH": "/bin", "HOME": "/root", "INWARD_CA_PASSPHRASE": "s3cret", "AWS_SECRET": "x"}
    spec = sampler_process(layout, environment)
    module, *arguments = spec.argv[2:]
    assert list(spec.argv[:2]) == [sys.executable, "-m"]
    assert importlib.util.find_spec(module) is not None
    assert arguments == [str(layout.bundle), str(layout.services), str(layout.undeclared)]
    assert set(spec.environment) == {"PATH", "HOME"}
    assert spec.output == layout.output(SAMPLER)


def test_its_name_is_that_of_no_service() -> None:
    assert "." in SAMPLER
    assert not SAMPLER.endswith(envoy_name(""))


@pytest.mark.parametrize("missing", ["re2", "phonenumbers"])
def test_without_the_extra_there_is_none(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    assert can_sample()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    assert not can_sample()
    assert "inward[spotting]" in MISSING


def test_commands_need_nothing_of_the_extra() -> None:
    """`inward check` and `inward up` are the same without it, but for the sampling."""
    code = "import sys; sys.modules.update(re2=None, phonenumbers=None)\n"
    code += "import inward.cli.main, inward.cli.program, inward.cli.data, inward.cli.check, inward.control.run.up"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_run_without_sampling_takes_no_sampler_over(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SAMPLER in process_names(policy, Settings())
    assert SAMPLER not in process_names(policy, Settings(sampling=False))
    monkeypatch.setattr(fleet, "can_sample", lambda: False)
    assert SAMPLER not in process_names(policy, Settings())
