"""A build job: has pip, exactly as published, fetch a package from the company's own index.

python builder.py [SECONDS BETWEEN BUILDS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

# `--isolated`: what a person has set up for pip is no part of a build
PIP = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "download", "--quiet"]
INDEX = [
    "--no-cache-dir",
    "--no-deps",
    "--index-url",
    "http://packages/simple/",
    "--trusted-host",
    "packages",
]


def build() -> str:
    """Do one build."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*PIP, *INDEX, "--retries", "0", "--dest", folder, "inward-sample"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            return f"builder: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}"
        return f"builder: fetched {', '.join(path.name for path in Path(folder).iterdir())}"


if __name__ == "__main__":
    while True:
        print(build(), flush=True)
        time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 60)
