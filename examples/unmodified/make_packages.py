"""Make var/packages with one small wheel in it, the same bytes every time, for pypiserver to serve."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import zipfile
from pathlib import Path

NAME, VERSION = "inward_sample", "1.0"
INFO = f"{NAME}-{VERSION}.dist-info"
METADATA = f"Metadata-Version: 2.1\nName: inward-sample\nVersion: {VERSION}\nSummary: a package to download\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: make_packages\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
FILES = {
    f"{NAME}.py": '"""A package to download."""\n\nGREETING = "hello"\n',
    f"{INFO}/METADATA": METADATA,
    f"{INFO}/WHEEL": WHEEL,
}


def record() -> str:
    """Return the wheel's RECORD: each file with its hash and size (PEP 427)."""
    lines = []
    for path, text in FILES.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}")
    return "\n".join([*lines, f"{INFO}/RECORD,,", ""])


def main() -> None:
    folder = Path("var/packages")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="var") as private:
        made = Path(private) / "made.whl"
        with zipfile.ZipFile(made, "w") as wheel:
            for path, text in {**FILES, f"{INFO}/RECORD": record()}.items():
                wheel.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
        made.replace(folder / f"{NAME}-{VERSION}-py3-none-any.whl")


if __name__ == "__main__":
    main()
