"""`inward check`: validate a system folder and say what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inward.cli.options import JSONOption, SystemOption
from inward.control.bundle import load_policy
from inward.control.layout import find_system


def check(system: SystemOption = Path(), json: JSONOption = False) -> None:
    """Validate everything in the system folder and print findings."""
    policy = load_policy(find_system(system))
    print(f"{len(policy.catalog.services)} services, {len(policy.catalog.operations)} operations, {len(policy.policies)} policies")
