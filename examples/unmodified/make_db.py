"""Make var/lab.db, the database that Datasette serves: sales to look at, and staff to keep private.

The tables have no foreign key between them: Datasette would follow one for `?_through=…`, and so tell of a
table that the caller was not granted.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

SALES = [
    (number, f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}", ("TEA-001", "TEA-002", "POT-001")[number % 3])
    for number in range(1, 501)
]
STAFF = [(1, "Ines Duarte", 68_000), (2, "Jonas Weber", 61_500), (3, "Kim Tran", 74_200)]


def main() -> None:
    folder = Path("var")
    folder.mkdir(exist_ok=True)
    # a whole database or none, however often and however many at once this runs
    with tempfile.TemporaryDirectory(dir=folder) as private:
        made = Path(private) / "lab.db"
        with closing(sqlite3.connect(made)) as database:
            database.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, day TEXT, sku TEXT, quantity INTEGER)")
            database.execute("CREATE TABLE staff (id INTEGER PRIMARY KEY, name TEXT, salary INTEGER)")
            rows = [(number, day, sku, number % 7 + 1) for number, day, sku in SALES]
            database.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", rows)
            database.executemany("INSERT INTO staff VALUES (?, ?, ?)", STAFF)
            database.commit()
        made.replace(folder / "lab.db")


if __name__ == "__main__":
    main()
