"""How long large API descriptions take to load: the files named on the command line (JSON or YAML, gzipped or not)."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from pathlib import Path

from bench.report import Series
from inward.catalog.system import load_system


def measure(files: list[Path]) -> Series:
    """Load each description as the API of a service, five times."""
    series = Series("descriptions", "seconds", files[0].name)
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = gzip.decompress(content)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "api.json").write_bytes(content)
            service = {"owner": "team", "api": "api.json", "listen": "127.0.0.1:0"}
            system = {"trust_domain": "bench.internal", "services": {"measured": service}}
            (folder / "inward.yaml").write_text(json.dumps(system))
            for _ in range(5):
                started = time.process_time()
                loaded = load_system(folder)
                seconds = time.process_time() - started
                if loaded.catalog is None:
                    raise ValueError(f"{file}: {loaded.mistakes}")
                series.add(file.name, seconds=seconds, operations=len(loaded.catalog.operations))
    return series
