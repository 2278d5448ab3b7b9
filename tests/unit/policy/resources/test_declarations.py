from __future__ import annotations

import pytest

from inward.policy.resources.declarations import MAX_ATTRIBUTES, MAX_FILE_BYTES, MAX_TYPES, parse_declarations

FILE = "policies/orders.cedarschema"


def mistakes(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    types, found = parse_declarations(data, "orders", FILE)
    assert types == []
    return [str(each).removeprefix(f"{FILE}:") for each in found]


def test_what_a_declaration_says() -> None:
    text = """\
// orders and what comes back
entity Order, Return = {
  tenant: String, total: Long, // in cents
  open?: Bool,
  tags: Set<String>, at: datetime, price: decimal, from: ipaddr,
  buyer: { name: String, ages?: Set<Set<Long>> },
};
entity Empty;
entity Bare {};
"""
    types, found = parse_declarations(text.encode(), "orders", FILE)
    assert found == []
    assert [(each.name, each.service, str(each.place)) for each in types] == [
        ("Order", "orders", f"{FILE}:2"),
        ("Return", "orders", f"{FILE}:2"),
        ("Empty", "orders", f"{FILE}:8"),
        ("Bare", "orders", f"{FILE}:9"),
    ]
    assert [str(each) for each in types[0].attributes] == [
        "tenant: String",
        "total: Long",
        "open?: Bool",
        "tags: Set<String>",
        "at: datetime",
        "price: decimal",
        "from: ipaddr",
        "buyer: {name: String, ages?: Set<Set<Long>>}",
    ]
    assert types[1].attributes == types[0].attributes
    assert types[2].attributes == types[3].attributes == ()


ONLY = "a file of types holds `entity Name { attribute: Type, … };` and nothing else"
PLAIN = "use a letter, then letters, digits and `_`"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("entity A {\n\n b: Strin };", "3: `Strin` is no type of an attribute (did you mean `String`?)"),
        ("entity A { b: Order };", "1: `Order` is no type of an attribute (the types are"),
        ("entity A { b: __cedar::String };", "1: `__cedar` is no type of an attribute (the types are"),
        ("entity A { b: String, b: Long };", "1: the attribute `b` stands here twice (keep one)"),
        ("entity A { b: {c: Long, c: Long} };", "1: the attribute `c` stands here twice (keep one)"),
        ('entity A { "b c": Long };', f'1: `"b c"` cannot be the name of an attribute ({PLAIN})'),
        ("entity A { b: Long c: Long };", "1: `,` or `}` was expected after the attribute `b`"),
        ("entity A { b Long };", "1: `:` was expected, and here is `Long`"),
        ("entity A { b: Set };", "1: `<` was expected, and here is `}`"),
        ("entity A { b: Set<Long };", "1: `>` was expected, and here is `}`"),
        ("entity A { b: Long;", "1: `,` or `}` was expected after the attribute `b`"),
        ("entity A { b: ;", "1: `;` is no type of an attribute (the types are"),
        ("entity A {", "1: a declaration without its `;` (end it with `;`)"),
        ("entity A {} B;", "1: `;` was expected, and here is `B`"),
        ("entity A, A {};", "1: `A` is declared twice"),
        ("entity {};", f"1: `{{` cannot be the name of a type ({PLAIN})"),
        ("entity;", f"1: `;` cannot be the name of a type ({PLAIN})"),
        ("entity _A;", f"1: `_A` cannot be the name of a type ({PLAIN})"),
        (f"entity {'A' * 101};", "1: `AAAA"),
        ("entity Service {};", "1: `Service` is a type already (choose another name)"),
        ("entity Long {};", "1: `Long` is a type already (choose another name)"),
        ("entity A in B;", "1: `in` cannot be declared here (an object is in its service"),
        ('entity A enum ["b"];', "1: `enum` cannot be declared here (an object is in its service"),
        ("entity A {} tags String;", "1: `tags` cannot be declared here (declare a set, such as `tags: Set<String>`)"),
        ("type T = Long;", f"1: `type` is no declaration of a type ({ONLY})"),
        ("action a;", f"1: `action` is no declaration of a type ({ONLY})"),
        ("namespace N {};", f"1: `namespace` is no declaration of a type ({ONLY})"),
        ('@doc("d") entity A;', f"1: `@` is no declaration of a type ({ONLY})"),
        (";", f"1: `;` is no declaration of a type ({ONLY})"),
        ("entity A { in: Long };", "1: Cedar does not take this declaration: `in` is a reserved identifier"),
        ("entity if;", "1: Cedar does not take this declaration: `if` is a reserved identifier"),
        ("\n// \u202e\nentity A;", "2: the character U+202E, which cannot be seen in a review (take it out)"),
        (b"entity A;\n\xff", "2: the file is not UTF-8"),
        ("entity A { b: " + "Set<" * 9 + "Long" + ">" * 9 + " };", "1: types nested more than 8 deep"),
        ("entity A { b: " + "{c: " * 5000 + "Long" + "}" * 5000 + " };", "1: types nested more than 8 deep"),
        (
            "entity A {" + ",".join(f"a{number}: Long" for number in range(MAX_ATTRIBUTES + 1)) + "};",
            f"1: more than {MAX_ATTRIBUTES} attributes of one type",
        ),
    ],
)
def test_a_declaration_that_is_not_taken_is_told_with_its_line(text: str | bytes, mistake: str) -> None:
    (found,) = mistakes(text)
    assert found.startswith(mistake)


def test_each_declaration_is_told_by_itself_and_the_rest_is_read() -> None:
    types, found = parse_declarations(b"entity A { b: X };\nentity B;\naction c;\nentity D { e: Long }", "orders", FILE)
    assert [each.name for each in types] == ["B"]
    assert [each.place.line for each in found] == [1, 3, 4]


def test_a_file_is_bounded() -> None:
    (found,) = parse_declarations(b" " * (MAX_FILE_BYTES + 1), "orders", FILE)[1]
    assert found.what == "more than 256 KiB of types"
    many = "".join(f"entity T{number};" for number in range(MAX_TYPES + 1)).encode()
    types, (found,) = parse_declarations(many, "orders", FILE)
    assert (types, found.what) == ([], f"more than {MAX_TYPES} types")
