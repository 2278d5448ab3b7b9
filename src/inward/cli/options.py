"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SystemOption = Annotated[Path, typer.Option("--system", help="The system folder.", show_default="this folder")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
