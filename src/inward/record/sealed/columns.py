"""The columns of a sealed segment, and the SQL that makes them of lines of JSON, and lines of JSON of them.

A column stands for a field of `record.call.Call` and has its name. `kind` says what an entry is, `entry` is its index
in the log. An entry whose columns would not give its line back byte for byte (an act, a gap, text that is escaped in
another way, a field of another version) keeps the line itself in `raw`: so nothing depends on how two programs write
JSON, and the hash of every line stays what it was. `leaf_start` is its first two bytes, by which a damaged entry is
found among its neighbours. Of an entry that retention dropped, `kind` is `dropped`, and `leaf` is all that is left: its
hash.

The schema only ever grows: a column is never renamed, removed or given another type, and new ones come last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from inward.record.call import MAX_LINE_BYTES

Kind = Literal["text", "integer", "texts", "map", "time", "src"]
VERSION = 1  # of the schema; raised when a reader of an older version would misread a file
_TIME = "'%Y-%m-%dT%H:%M:%S.%gZ'"
_READ_AS: Final[dict[Kind, str]] = {"integer": "BIGINT", "texts": "VARCHAR[]", "map": "MAP(VARCHAR, VARCHAR)"}


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a call. `default` is what stands for a field that is not in the line."""

    name: str
    kind: Kind = "text"
    default: str | None = None

    @property
    def read_as(self) -> str:
        """The type that the field has in JSON."""
        return _READ_AS.get(self.kind, "VARCHAR")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that it is."""
        return (f"{self.name}_file", f"{self.name}_offset") if self.kind == "src" else (self.name,)

    @property
    def of_line(self) -> str:
        """SQL for the value of the column, of the parsed line `c`; NULL where the line has nothing that fits."""
        field = f"c.{self.name}"
        match self.kind:
            case "time":
                return f"try_strptime({field}, {_TIME})::TIMESTAMPTZ AS {self.name}"
            case "src":
                return (
                    f"nullif(regexp_extract({field}, '^(.*):[0-9]+$', 1), '') AS {self.name}_file, "
                    f"try_cast(regexp_extract({field}, ':([0-9]+)$', 1) AS BIGINT) AS {self.name}_offset"
                )
            case "texts":
                return f"CASE WHEN len({field}) > 0 THEN {field} END AS {self.name}"
            case "map":
                return f"CASE WHEN cardinality({field}) > 0 THEN {field} END AS {self.name}"
            case _ if self.default is not None:
                return f"CASE WHEN kind = 'call' THEN coalesce({field}, '{self.default}') END AS {self.name}"
            case _:
                return f"{field} AS {self.name}"

    @property
    def to_line(self) -> str:
        """SQL for the field as it stands in the line, with the comma before it; empty text where it is absent."""
        match self.kind:
            case "integer":
                value = f"{self.name}::VARCHAR"
            case "time":
                value = f"'\"' || strftime({self.name}, {_TIME}) || '\"'"
            case "src":
                value = f"'\"' || {self.name}_file || ':' || {self.name}_offset || '\"'"
            case _:
                shown = f"nullif({self.name}, '{self.default}')" if self.default else self.name
                value = f"to_json({shown})::VARCHAR"
        return f"coalesce(',\"{self.name}\":' || {value}, '')"


# In the order in which a line has them, which is the one of `Call`.
COLUMNS: Final = (
    Column("time", "time"),
    Column("id"),
    Column("caller"),
    Column("callee"),
    Column("user"),
    Column("address"),
    Column("operation"),
    Column("method"),
    Column("path"),
    Column("parameters", "map"),
    Column("decision"),
    Column("carried_out"),
    Column("reason"),
    Column("policies", "texts"),
    Column("mode", default="enforce"),
    Column("enforcer", default="ingress"),
    Column("policy_version"),
    Column("status", "integer"),
    Column("grpc_status", "integer"),
    Column("duration_us", "integer"),
    Column("bytes_in", "integer"),
    Column("bytes_out", "integer"),
    Column("trace"),
    Column("span"),
    Column("withheld", "texts"),
    Column("sent", "texts"),
    Column("detail"),
    Column("src", "src"),
)
_STRUCT = "{" + ", ".join(f'"{each.name}": "{each.read_as}"' for each in (*COLUMNS, Column("kind"))) + "}"
_LINE = "'{' || substr(" + " || ".join(each.to_line for each in COLUMNS) + ", 2) || '}'"
# SQL for the line of a row of a sealed segment; NULL for one that was dropped.
LINE: Final = f"CASE WHEN kind <> 'dropped' THEN coalesce(raw, {_LINE}) END"

# SQL for the hash of its leaf: of one that is there, the hash of what it says now.
LEAF: Final = f"CASE WHEN kind = 'dropped' THEN leaf ELSE unhex(sha256('\\x00'::BLOB || encode({LINE}))) END"

# An option of `read_parquet`: no folder above a file, such as `kind=call/`, says what is in its columns.
FILE_ONLY: Final = "hive_partitioning = false"


def quoted(text: object) -> str:
    """Return a text as SQL has it between single quotes."""
    return str(text).replace("'", "''")


def lines_of(path: str) -> str:
    """Return the SQL for the lines of a file, as a relation that `rows_of` takes; `path` is quoted here."""
    options = (
        "columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, quote = '', escape = '', comment = '', "
        f"delim = '\x01', nullstr = '\x02', max_line_size = {MAX_LINE_BYTES}"  # bytes that no JSON has
    )
    return f"(SELECT line, row_number() OVER () AS number FROM read_csv('{quoted(path)}', {options}))"  # noqa: S608 - quoted


def rows_of(lines: str, first: int = 0) -> str:
    """Return the SQL for the rows of a sealed segment, of a relation with the columns `line` and `number` (from 1).

    `first` is the index in the log of the first of them.
    """
    fields = ", ".join(each.of_line for each in COLUMNS)
    return f"""
        WITH parsed AS (SELECT line, number, try(from_json(line, '{_STRUCT}')) AS c FROM {lines}),
        told AS (SELECT line, number, coalesce(c.kind, 'call') AS kind, c FROM parsed),
        split AS (SELECT number + {first - 1} AS entry, kind, {fields}, line FROM told)
        SELECT * EXCLUDE (line),
            CASE WHEN kind = 'call' AND {_LINE} = line THEN NULL ELSE line END AS raw,
            ('0x' || left(sha256('\\x00'::BLOB || encode(line)), 4))::USMALLINT AS leaf_start,
            NULL::BLOB AS leaf
        FROM split"""  # noqa: S608 - names of columns, none from outside
