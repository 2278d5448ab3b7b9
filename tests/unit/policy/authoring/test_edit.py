from __future__ import annotations

import os
import re
import stat
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.policy.authoring.files import files

from inward.errors import BadInputError, InvalidSystemError
from inward.policy.authoring import edit
from inward.policy.authoring.edit import add_grant, revoke
from inward.policy.authoring.replace import EditRefusedError
from inward.policy.index import Index
from inward.policy.loading.load import load_policies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inward.catalog.model import Catalog

GET, CREATE = "orders:getOrder", "orders:createOrder"
FILE = "policies/orders.cedar"


def permit(name: str, principal: str, action: str, rest: str = "") -> str:
    head = f'@id("{name}") @reason("r")\npermit (principal {principal}, action {action}, '
    return f'{head}resource == Service::"orders"){rest};'


CHECKOUT = '== Service::"checkout"'
ONE = f'== Action::"{GET}"'


class System:
    """A system folder with policies for the shop."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self.folder = folder
        self.catalog = catalog
        (folder / "policies").mkdir()

    @property
    def file(self) -> Path:
        return self.folder / FILE

    def write(self, text: str) -> str:
        self.file.write_bytes(text.encode())
        return text

    def read(self) -> str:
        return self.file.read_bytes().decode()

    def add(self, *operations: str, caller: str = "checkout", reason: str = "why", **rest: str) -> edit.Edit:
        return add_grant(self.folder, self.catalog, caller, operations or (GET,), reason, **rest)

    def revoke(self, operation: str = GET, caller: str = "checkout") -> edit.Edit:
        return revoke(self.folder, self.catalog, caller, operation)

    def permits(self, caller: str = "checkout", operation: str = GET) -> list[str]:
        policies, mistakes = load_policies(self.folder, self.catalog)
        assert mistakes == []
        return [permit.id for permit in Index(self.catalog, policies).cell(caller, operation).permits]

    def names(self) -> Sequence[str]:
        return sorted(path.name for path in (self.folder / "policies").iterdir())


@pytest.fixture
def system(tmp_path: Path, shop: Catalog) -> System:
    return System(tmp_path, shop)


def test_a_grant_is_added_and_taken_out_again(system: System) -> None:
    forbid = f'@id("x") @reason("r")\nforbid (principal {CHECKOUT}, action == Action::"{CREATE}", resource);'
    before = system.write(f"// orders: ours — since 2019\n\n{forbid}  // odd   \n")
    done = system.add(reason='it shows "the order"')
    assert [(change.policy, str(change.place), change.before) for change in done.changes] == [
        ("checkout-orders-getorder", f"{FILE}:6", "")
    ]
    assert system.read() == before + "\n" + done.changes[0].after + "\n"
    assert system.permits() == ["checkout-orders-getorder"]
    assert system.names() == ["orders.cedar"]
    undone = system.revoke()
    assert [(change.before, change.after) for change in undone.changes] == [(done.changes[0].after, "")]
    assert system.read() == before


def test_a_file_is_made_where_there_is_none(system: System) -> None:
    (system.folder / "policies").rmdir()
    done = system.add(GET, CREATE, expires="2030-01-31", condition='context.time < datetime("2029-01-01")')
    assert system.read() == done.changes[0].after + "\n"
    assert system.permits() == system.permits(operation=CREATE) == ["checkout-orders-several"]


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ("", ""),
        ("\n", "\n"),
        ("// a", "\n\n"),
        ("// a\n", "\n"),
        ("// a\r\n// b\r\n", "\r\n"),
        ("// a\r\n// b", "\r\n\r\n"),
    ],
)
def test_every_byte_stays_and_line_ends_are_the_files(system: System, before: str, gap: str) -> None:
    system.write(before)
    system.add()
    after = system.read()
    assert after.startswith(before + gap + "@id(")
    newline = "\r\n" if "\r\n" in before else "\n"
    assert after.endswith(");" + newline)
    assert after.count("\n") == after.count(newline)


def test_what_is_granted_already_is_not_granted_twice(system: System) -> None:
    before = system.write(permit("a", 'in Zone::"edge"', ONE))
    done = system.add()
    assert done.changes == ()
    assert done.note == "granted already"
    assert system.read() == before
    (change,) = system.add(GET, CREATE).changes  # only what is missing
    assert "createOrder" in change.after
    assert "getOrder" not in change.after


def test_a_grant_that_ends_too_early_or_has_conditions_does_not_cover(system: System) -> None:
    system.write('@expires("2030-01-31") ' + permit("a", CHECKOUT, ONE))
    assert system.add(expires="2030-01-31").changes == ()
    assert system.add(expires="2030-01-30").changes == ()
    assert len(system.add(expires="2030-02-01").changes) == 1
    assert len(system.add().changes) == 1
    system.write(permit("a", CHECKOUT, ONE, ' when { context.path.id == "7" }'))
    assert len(system.add().changes) == 1


def test_a_grant_that_a_forbid_defeats_is_not_written(system: System) -> None:
    before = system.write('\n@id("f") @reason("r") forbid (principal, action, resource == Service::"orders");')
    with pytest.raises(EditRefusedError, match=f"{FILE}:2: `f` forbids"):
        system.add()
    assert system.read() == before


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"caller": "chekout"}, "no service `chekout`"),
        ({"reason": ""}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"expires": "tomorrow"}, "expiry `tomorrow`"),
        ({"condition": "context.path.nope == 1"}, "nope"),
        ({"condition": "true }; permit (principal, action, resource) when { true"}, "@id"),
        (
            {"condition": f"true }};\n{permit('z', CHECKOUT, ONE).removesuffix(';')} when {{ true"},
            "does not stay within",
        ),
        ({"condition": "("}, FILE),
        ({"condition": "true"}, ""),
    ],
)  # fmt: skip
def test_bad_input_changes_nothing(system: System, given: dict[str, str], text: str) -> None:
    before = system.write("// a\n")
    if text:
        with pytest.raises(BadInputError) as caught:
            system.add(**given)
        assert text in str(caught.value)
        assert system.read() == before
    else:
        assert system.add(**given).changes
    assert system.names() == ["orders.cedar"]


def test_operations_must_exist_and_be_of_one_service(system: System) -> None:
    with pytest.raises(BadInputError, match="no operation"):
        system.add("orders:nope")
    with pytest.raises(BadInputError, match="one service"):
        system.add(GET, "payments:charge")
    with pytest.raises(BadInputError, match="no operation"):
        system.revoke("orders:*")
    with pytest.raises(BadInputError, match="no service"):
        system.revoke(caller="nope")


def test_a_system_with_mistakes_is_repaired_first(system: System) -> None:
    system.write("permit (principal")
    for ask in (system.add, system.revoke):
        with pytest.raises(InvalidSystemError) as caught:
            ask()
        assert caught.value.mistakes[0].place.file == FILE
    assert system.read() == "permit (principal"


def test_a_list_of_operations_is_narrowed(system: System) -> None:
    both = f'in [Action::"{GET}", Action::"{CREATE}"]'
    before = system.write("// all of it\n" + permit("a", CHECKOUT, both) + " // tail\n")
    done = system.revoke()
    assert system.read() == before.replace(f'Action::"{GET}", ', "")
    assert done.changes[0].after in system.read()
    assert system.permits() == []
    assert system.permits(operation=CREATE) == ["a"]


@pytest.mark.parametrize(
    ("principal", "action"),
    [
        ("", ONE),
        ('in Zone::"edge"', ONE),
        ("is Service", ONE),
        (CHECKOUT, ""),
        (CHECKOUT, 'in Action::"orders:*"'),
        (CHECKOUT, f'in [Action::"orders:read", Action::"{CREATE}"]'),
        (CHECKOUT, f'in [Action::"{GET}", Action::"orders:read"]'),
    ],
)
def test_access_of_others_is_never_taken_away(system: System, principal: str, action: str) -> None:
    own = permit("own", CHECKOUT, ONE)
    before = system.write(f"{own}\n\n{permit('broad', principal, action)}\n")
    with pytest.raises(EditRefusedError) as caught:
        system.revoke()
    assert caught.value.hint
    assert system.read() == before
    assert system.permits() == ["broad", "own"]


def test_all_grants_of_a_cell_go_at_once(system: System) -> None:
    rest = "// kept\n" + permit("z", '== Service::"reporting"', ONE) + "\n"
    system.write(
        permit("a", CHECKOUT, ONE) + " " + permit("b", CHECKOUT, f'in [Action::"{GET}"]') + "\n\n" + rest
        + "\n" + permit("c", CHECKOUT, ONE, " when { context.query has limit }") + "\n"
    )  # fmt: skip
    done = system.revoke()
    assert [change.policy for change in done.changes] == ["a", "b", "c"]
    assert system.read().strip() == rest.strip()
    assert system.permits(caller="reporting") == ["z"]
    again = system.revoke()
    assert (again.changes, again.note) == ((), "not granted")


def test_grants_on_objects_stay_and_are_named_where_they_stand_then(system: System) -> None:
    (system.folder / "policies" / "orders.cedarschema").write_text("entity Order { total: Long }; entity Line {};")
    head = '@id("{}") @reason("r")\npermit (principal {}, action {}, resource is {});\n'
    others = [
        head.format("narrow", CHECKOUT, ONE, "Order"),
        head.format("broad", 'in Zone::"edge"', 'in Action::"orders:read"', "Line"),
        head.format("else", CHECKOUT, f'== Action::"{CREATE}"', "Order"),
        head.format("hers", '== Service::"reporting"', ONE, "Order"),
        head.format("not", CHECKOUT, ONE, "Order").replace("permit", "forbid"),
    ]
    before = system.write("\n".join(others))
    system.add()
    assert system.revoke().changes
    assert system.read() == before
    system.write(permit("call", CHECKOUT, ONE) + "\n" + before)
    done = system.revoke()
    assert [change.policy for change in done.changes] == ["call"]
    assert [(each.id, each.place.line) for each in done.on_objects] == [("narrow", 1), ("broad", 4)]
    assert system.read() == before
    again = system.revoke()
    assert (again.changes, again.note, [each.id for each in again.on_objects]) == (
        (),
        "not granted",
        ["narrow", "broad"],
    )


def test_the_files_mode_is_kept(system: System) -> None:
    system.write("")
    system.file.chmod(0o640)
    system.add()
    assert stat.S_IMODE(system.file.stat().st_mode) == 0o640


def test_links_out_of_the_folder_are_refused(system: System, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "orders.cedar"
    outside.write_text("// theirs\n")
    system.file.symlink_to(outside)
    with pytest.raises(EditRefusedError, match="outside of the system"):
        system.add()
    assert outside.read_text() == "// theirs\n"


def test_links_within_the_folder_are_followed(system: System) -> None:
    real = system.folder / "real.cedar"
    real.write_text("// a\n")
    system.file.symlink_to(real)
    system.add()
    assert system.file.is_symlink()
    assert real.read_text().startswith("// a\n\n@id(")


def test_a_file_that_changes_meanwhile_is_not_overwritten(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    system.write("// a\n")
    validated = edit._validated

    def slow(*args: object) -> object:
        system.file.write_text("// somebody else's\n")
        return validated(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(edit, "_validated", slow)
    with pytest.raises(EditRefusedError, match="changed meanwhile"):
        system.add()
    assert system.read() == "// somebody else's\n"
    assert system.names() == ["orders.cedar"]


def test_a_failing_disk_leaves_the_old_file(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    before = system.write("// a\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInputError, match="No space left"):
        system.add()
    assert system.read() == before
    assert system.names() == ["orders.cedar"]


CALLERS, OPERATIONS = ["checkout", "reporting"], [GET, CREATE]
TOKENS = re.compile(r'"(?:[^"\\]|\\[^\n])*"|//[^\n]*|[A-Za-z_]\w*|\S')


def pieces(text: str) -> list[str]:
    """All that a file consists of but its spaces: the tokens and the comments, in order."""
    return [piece.rstrip() for piece in TOKENS.findall(text)]


def without(all_pieces: list[str], gone: list[str]) -> list[str]:
    at = next(n for n in range(len(all_pieces)) if all_pieces[n : n + len(gone)] == gone)
    return all_pieces[:at] + all_pieces[at + len(gone) :]


@given(
    text=files(CALLERS, OPERATIONS),
    caller=st.sampled_from(CALLERS),
    operations=st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=2, unique=True),
    reason=st.sampled_from(["why", 'a "b" // c', "; }", "\\"]),
    expires=st.sampled_from([None, "2098-01-01"]),
    condition=st.sampled_from([None, "true", '"//" == ";" // why', "true // }"]),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_added_and_taken_out_again_leaves_every_byte(
    system: System,
    text: str,
    caller: str,
    operations: list[str],
    reason: str,
    expires: str | None,
    condition: str | None,
) -> None:
    before = system.write(text)
    already = {operation: system.permits(caller, operation) for operation in operations}
    try:
        done = add_grant(
            system.folder, system.catalog, caller, operations, reason, expires=expires, condition=condition
        )
    except EditRefusedError:
        assert system.read() == before
        return
    after = system.read()
    assert after.startswith(before)
    if not done.changes:
        return
    assert pieces(after) == pieces(before) + pieces(done.changes[0].after)
    assert ("\r\n" in after) == ("\r\n" in before)
    assert after.count("\r\n") in {0, after.count("\n")}
    if any(already.values()) or len(operations) > 1:
        return  # others would go too
    revoke(system.folder, system.catalog, caller, operations[0])
    newline = "\r\n" if "\r\n" in before else "\n"
    assert system.read() == before + ("" if not before or before.endswith("\n") else newline)


@given(text=files(CALLERS, OPERATIONS), caller=st.sampled_from(CALLERS), operation=st.sampled_from(OPERATIONS))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_taken_out_takes_nothing_else_along(system: System, text: str, caller: str, operation: str) -> None:
    before = system.write(text)
    policies, mistakes = load_policies(system.folder, system.catalog)
    assert mistakes == []
    try:
        done = revoke(system.folder, system.catalog, caller, operation)
    except EditRefusedError:
        assert system.read() == before
        return
    after = system.read()
    left = pieces(before)
    for change in done.changes:
        if not change.after:
            left = without(left, pieces(change.before))
        else:
            start = next(
                n for n in range(len(left)) if left[n : n + len(pieces(change.before))] == pieces(change.before)
            )
            left[start : start + len(pieces(change.before))] = pieces(change.after)
            gone = Counter(pieces(change.before)) - Counter(pieces(change.after))
            assert set(gone) <= {"Action", ":", f'"{operation}"', ","}
    assert pieces(after) == left
    assert after.count("\r\n") in {0, after.count("\n")}
    now, mistakes = load_policies(system.folder, system.catalog)
    assert mistakes == []
    touched = {change.policy for change in done.changes}
    assert {each.id: each.text for each in policies if each.id not in touched} == {
        each.id: each.text for each in now if each.id not in touched
    }
    if not done.changes:
        assert after == before
