"""Policy files that somebody wrote to break what reads them: each is one clear mistake, or loads, within small limits.

Every case is read by a process of its own, whose memory and time the kernel bounds: what would take down `inward up`
takes down that process, and the test says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from inward.policy.loading.source import MAX_BRACKETS, MAX_POLICIES

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = 1024 * 1024 * 1024  # address space, the interpreter included
SECONDS = 30  # of CPU: what takes one of them alone takes several beside other tests
READER = """
import json, resource, sys
memory, seconds = int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
from pathlib import Path
from inward.catalog.system import load_system
from inward.errors import InwardError
from inward.policy.authoring.layout import lay_out
from inward.policy.loading.load import load_policies
folder, file = Path(sys.argv[1]), "policies/orders.cedar"
policies, mistakes = load_policies(folder, load_system(folder).catalog)
data = (folder / file).read_bytes()
try:
    again = lay_out(lay_out(data, file), file) if len(data) < 500_000 else b""
    laid_out = "done"
except InwardError as error:
    laid_out = error.code
print(json.dumps([len(policies), [str(each) for each in mistakes], laid_out]))
"""
SYSTEM = {
    "inward.yaml": """
trust_domain: shop.internal
services:
  orders: {owner: team-orders, zone: core, api: orders.yaml, listen: "127.0.0.1:0"}
  checkout: {owner: team-checkout}
""",
    "orders.yaml": """
openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getOrder, responses: {"200": {description: ok}}}
""",
}
SCOPE = '(principal == Service::"checkout", action == Action::"orders:getOrder", resource == Service::"orders")'


def grant(name: object = "a", reason: str = "r", rest: str = "") -> str:
    return f'@id("{name}") @reason("{reason}") permit {SCOPE}{rest};\n'


def when(condition: str) -> str:
    return grant(rest=f" when {{ {condition} }}")


def operation(name: str) -> str:
    return f'Action::"{name}"'


def listed(count: int, item: str) -> str:
    return ", ".join(item.replace("#", str(number)) for number in range(count))


def read(folder: Path, data: str | bytes) -> tuple[int, list[str], str]:
    """Load a system with these bytes as a policy file, and lay the file out, in a process of their own."""
    for name, text in SYSTEM.items():
        (folder / name).write_text(text)
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "orders.cedar").write_bytes(data if isinstance(data, bytes) else data.encode())
    done = child(READER, str(folder), str(MEMORY), str(SECONDS))
    assert (done.returncode, done.stderr[-2_000:]) == (0, "")
    policies, mistakes, laid_out = json.loads(done.stdout)
    return policies, mistakes, laid_out


def child(program: str, *arguments: str, **rest: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=120, **rest
    )


UNSEEN = "which cannot be seen in a review"
REFUSED: dict[str, tuple[str | bytes, int, str]] = {  # the file, the line and the words of its first mistake
    "brackets": (when("(" * 10_000 + "true" + ")" * 10_000), 1, f"nested more than {MAX_BRACKETS} deep"),
    "brackets that stay open": (grant() + "permit (" + "(" * 1_000_000, 2, "a policy that does not end"),
    "brackets that close": (grant() + ")" * 500_000 + ";", 2, "a policy of more than"),
    "a chain": (when(" || ".join(["true"] * 5_000)), 1, "levels"),
    "an unknown function": (when('frobnicate("x")'), 1, "`frobnicate` is not a valid function"),
    "an unknown function of a name space": (when('a::b::c("x")'), 1, "`a::b::c` is not a valid function"),
    "an unknown method": (when("context.path.id.frobnicate()"), 1, "`frobnicate` is not a valid method"),
    "a known function of nonsense": (when('ip("1.2.3.4.5").isLoopback()'), 1, "failed to parse as IP address"),
    "no UTF-8": (b"// a\n// \xff\n" + grant().encode(), 2, "the byte 0xff is no UTF-8"),
    "an overlong encoding": (b"// \xc0\xaf\n", 1, "the byte 0xc0 is no UTF-8"),
    "a cut character": ("// é".encode()[:-1], 1, "is no UTF-8"),
    "UTF-16": (grant().encode("utf-16"), 1, "the byte 0xff is no UTF-8"),
    "a null byte": (grant() + "\0", 2, f"the character U+0000, {UNSEEN}"),
    "a byte order mark": ("\ufeff" + grant(), 1, f"the character U+FEFF, {UNSEEN}"),
    "a bidirectional override in a comment": ("// \u202e;\n" + grant(), 1, f"the character U+202E, {UNSEEN}"),
    "a bidirectional isolate in a reason": (grant(reason="a\u2066b"), 1, f"the character U+2066, {UNSEEN}"),
    "an escaped override in a reason": (grant(reason=r"a\u{202e}b"), 1, "a reason that is no single line"),
    "a look-alike in an id": (grant("\u0430"), 1, "the id `\u0430`"),
    "a look-alike in a service": (grant().replace("checkout", "\u0441heckout"), 1, "the character U+0441"),
    "a look-alike in a condition": (when('context.path.id == "\u0430dmin"'), 1, "the character U+0430"),
    "a look-alike of a comment": ("\u2215\u2215 x\n" + grant(), 1, "invalid token"),
    "a look-alike of a semicolon": (grant().replace(";", "\uff1b"), 1, "a policy that does not end"),
    "the same id twice": (
        grant() + "\n" + grant(reason="another"),
        3,
        "the id `a` is taken by policies/orders.cedar:1",
    ),
    "the same annotation twice": ('@id("b") ' + grant(), 1, "duplicate annotation: @id"),
    "a long id": (grant("a" * 100_000), 1, "the id `a"),
    "a long reason": (grant(reason="a" * 100_000), 1, "a reason that is no single line"),
    "a line of a megabyte": (grant(reason="a" * 1_000_000), 1, "a policy of more than"),
    "a long name": (grant().replace("checkout", "c" * 100_000), 1, "there is no service `c"),
    "a long attribute": (when(f"context.path.{'a' * 100_000} == 1"), 1, "not found"),
    "a long type": (when("A::" * 50_000 + '"x" == principal'), 1, "there is no type `A::A"),
    "a large record": (when(f"{{ {listed(15_000, 'k#: 1')} }} == {{}}"), 1, "the types {} and"),
    "many annotations": (listed(50_000, '@a#("x")').replace(",", "") + grant(), 1, "a policy of more than"),
    "annotations": (listed(12_000, '@a#("x")').replace(",", "") + grant(), 0, "11900 more mistakes"),
    "many unknown operations": (
        grant().replace('== Action::"orders:getOrder"', f"in [{listed(8_000, operation('orders:o#'))}]"),
        0,
        "7900 more mistakes",
    ),
    "quotes": ('"' * 1_000_001, 1, "a string that does not end"),
    "escaped quotes": ('"\\' * 1_000_000, 1, "a string that does not end"),
    "strings that do not end": ((grant(rest=' when { "x }') + "\n") * 5_000, 1, "unexpected token"),
    "annotation signs": ("@" * 300_000, 1, "a policy that does not end"),
    "semicolons": (";" * 1_000_000, 1, "a `;` without a policy"),
    "a file without an end": (grant() + "// x\n" * 4_000_000, 0, "a file of more than 16,777,216 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_one_clear_mistake(name: str, tmp_path: Path) -> None:
    data, line, words = REFUSED[name]
    policies, mistakes, _ = read(tmp_path, data)
    assert policies == 0
    assert len(mistakes) <= 102
    place = f"policies/orders.cedar:{line}: " if line else "policies/orders.cedar: "
    assert any(mistake.startswith(place) and words in mistake for mistake in mistakes), mistakes[:3]
    assert max(map(len, mistakes)) < 1_500
    assert "\u202e" not in "".join(mistakes)


ACCEPTED = {
    "slashes": "/" * 1_000_000,
    "a comment of a megabyte": "// " + "x" * 1_000_000 + "\n" + grant(),
    "a hundred thousand comments": "// x\n" * 100_000 + grant(),
    "comments within": grant(rest=" when { " + "// x\n" * 10_000 + "true }"),
    "a large set": when("[" + listed(20_000, '"#"') + "].contains(context.path.id)"),
    "a list of one operation": grant().replace(
        '== Action::"orders:getOrder"', f"in [{listed(5_000, 'Action::' + chr(34) + 'orders:getOrder' + chr(34))}]"
    ),
    "a pattern": when(f'context.path.id like "{"*a" * 50_000}"'),
    "escapes": when('context.path.id == "' + r"\u{1F600}" * 20_000 + '"'),
    "emoji": grant(reason="\u2615 tea"),
    "comments in other scripts": "// \u4e2d\u6587, \u0939\u093f\u0928\u094d\u0926\u0940, \U0001f469\u200d\U0001f4bb\n"
    + grant(),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_only_large_or_foreign_loads(name: str, tmp_path: Path) -> None:
    policies, mistakes, _ = read(tmp_path, ACCEPTED[name])
    assert mistakes == []
    assert policies == ACCEPTED[name].count("@id")


@pytest.mark.long
@pytest.mark.parametrize(
    ("data", "policies", "words"),
    [
        ("".join(map(grant, range(100_000))), 0, f"more than {MAX_POLICIES:,} policies in one file"),
        ("".join(map(grant, range(MAX_POLICIES))), MAX_POLICIES, ""),
        (grant() * 100_000, 0, "is taken by"),
        ("permit (principal, action, resource);" * 100_000, 0, "a policy without @id"),
        (
            "".join(grant(n, rest="\nwhen {\n\n\n\n\n\n  context.path.nope == 1\n}") for n in range(10_000)),
            0,
            "attribute `path.nope` not found",
        ),
    ],
    ids=["too many", "as many as may be", "duplicates", "nameless", "a hundred thousand wrong lines"],
)
def test_a_file_of_very_many_policies(data: str, policies: int, words: str, tmp_path: Path) -> None:
    found, mistakes, _ = read(tmp_path, data)
    assert found == policies
    assert any(words in mistake for mistake in mistakes) == bool(words), mistakes[:3]


def test_the_limits_really_bound_the_reader(tmp_path: Path) -> None:
    program = READER.replace("from pathlib import Path", "x = bytearray(memory)", 1)
    assert "MemoryError" in child(program, str(tmp_path), str(MEMORY), str(SECONDS)).stderr
    program = READER.replace("from pathlib import Path", "while True: pass", 1)
    assert child(program, str(tmp_path), str(MEMORY), "1").returncode < 0


def test_what_is_kept_from_cedar_would_take_the_reader_down() -> None:
    program = "import sys, cedarpy; cedarpy.format_policies(sys.stdin.read())"
    data = REFUSED["brackets"][0]
    assert isinstance(data, str)
    assert child(program, input=data).returncode < 0
