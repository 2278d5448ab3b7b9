"""The sampler as a process of a run: whether there can be one, and how it is started.

Imported where nothing is sampled: it needs none of the libraries that the sampler needs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from inward.control.run.process import ProcessSpec
from inward.control.run.services import SAMPLER, search_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.control.layout import Layout

MISSING = "no answers are sampled for undeclared data: `pip install 'inward[spotting]'`, or set INWARD_SAMPLING=0"
_NEEDED = ("phonenumbers", "re2")


def can_sample() -> bool:
    """Tell whether the libraries of the extra `inward[spotting]` are there."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def sampler_process(layout: Layout, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the process of the sampler of a run."""
    argv = [sys.executable, "-m", "inward.control.sampling.sampler"]
    argv += [str(layout.bundle), str(layout.services), str(layout.undeclared)]
    given = {"PATH": search_path(environment), "HOME": environment.get("HOME", os.sep)}
    return ProcessSpec(SAMPLER, argv, layout.run, given, layout.output(SAMPLER))
