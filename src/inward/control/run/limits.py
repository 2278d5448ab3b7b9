"""Limits of the kernel that a run would hit, found before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

from inward.errors import InwardError

WATCHES_OF_AN_ENVOY = 6  # inotify instances: one for each kind of file that it watches
_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_MUCH_MORE = 1024


class LimitError(InwardError):
    """The kernel does not give this account what a run needs."""

    code = "limit"


def require_watches(envoys: int) -> None:
    """Raise `LimitError` where `envoys` more Envoys would find no inotify instance left: they would abort at start.

    Does nothing where the kernel has no such limit (macOS).
    """
    limit = _limit()
    needed = envoys * WATCHES_OF_AN_ENVOY
    used = _instances_in_use() if limit is not None else 0
    if limit is not None and used + needed > limit:
        raise LimitError(
            f"{envoys} Envoys need {needed} inotify instances; this account may have {limit} and uses {used}",
            hint=f"raise the limit: `sysctl fs.inotify.max_user_instances={max(_MUCH_MORE, 2 * (used + needed))}`",
        )


def _limit() -> int | None:
    try:
        return int(_LIMIT.read_text())
    except (OSError, ValueError):
        return None


def _instances_in_use() -> int:
    """Count the inotify instances of this account's processes."""
    count = 0
    for process in Path("/proc").glob("[0-9]*/fd"):
        try:
            if process.parent.stat().st_uid != os.geteuid():
                continue
            entries = list(process.iterdir())
        except OSError:
            continue
        for entry in entries:
            try:
                count += str(entry.readlink()) == "anon_inode:inotify"
            except OSError:
                continue
    return count
