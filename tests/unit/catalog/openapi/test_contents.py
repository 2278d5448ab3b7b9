"""What bodies hold: by status, in all media types, in requests and parameters, in Swagger and OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.catalog.openapi.test_marks import read

from inward.catalog.openapi import shapes
from inward.catalog.shape import NOTHING
from inward.insight.exposure import places_of

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Operation
    from inward.catalog.shape import Shape


def where(shape: Shape) -> set[str]:
    return {f"{name} {path}" for name, path in places_of(shape)}


def operation(tmp_path: Path, text: str, version: str = "openapi: 3.2.0", method: str = "get") -> Operation:
    (found,), mistakes = read(tmp_path, f"{version}\npaths:\n  /x/{{id}}:\n    {method}:\n{text}")
    assert mistakes == []
    return found


ANSWERS = """\
      responses:
        '200': {content: {application/json: {schema: {properties: {a: {x-inward-data: pii}}}}}}
        4xx: {content: {application/problem+json: {schema: {properties: {detail: {type: string}}}}}}
        '404': {description: nobody said what it holds}
        '500': {content: {text/html: {}}}
        default: {content: {application/json: {schema: {properties: {b: {x-inward-data: card.number}}}}}}
"""


def test_an_answer_has_the_shape_of_its_status(tmp_path: Path) -> None:
    answers = operation(tmp_path, ANSWERS).answers
    everything = {"pii $.a", "card.number $.b"}
    assert where(answers.of(200)) == {"pii $.a"}
    assert where(answers.of(201)) == {"card.number $.b"}
    assert where(answers.of(400)) == set()
    assert where(answers.of(404)) == where(answers.of(500)) == where(answers.otherwise) == everything
    assert answers.classes == {"pii", "card.number"}
    assert answers.undescribed == ("500",)


def test_a_status_that_is_not_declared_may_hold_anything(tmp_path: Path) -> None:
    text = "      responses: {'200': {content: {a/b: {schema: {properties: {a: {x-inward-data: pii}}}}}}}\n"
    answers = operation(tmp_path, text).answers
    assert where(answers.of(500)) == {"pii $.a"}


@pytest.mark.parametrize(
    ("responses", "undescribed"),
    [
        ("{}", ("default",)),
        ("{'200': {description: x}, '204': {description: x}, '404': {description: x}}", ("200",)),
        ("{'200': {content: {}}}", ("200",)),
        ("{'200': {content: {application/json: {schema: {}}, text/csv: {schema: {type: string}}}}}", ("200",)),
        ("{'200': {content: {application/json: {schema: true}}}, x-note: {a: 1}}", ("200",)),
        ("{'200': {content: {application/json: {schema: {type: string}}}}}", ()),
    ],
)
def test_answers_of_which_nothing_is_said_are_named(tmp_path: Path, responses: str, undescribed: tuple[str]) -> None:
    assert operation(tmp_path, f"      responses: {responses}\n").answers.undescribed == undescribed


def test_all_media_types_count_together_and_marks_beside_a_schema(tmp_path: Path) -> None:
    text = """\
      responses:
        '200':
          x-inward-data: card.number
          content:
            application/json: {schema: {properties: {a: {x-inward-data: pii}}}}
            text/csv: {schema: {type: string}, x-inward-data: pii.name}
"""
    found = where(operation(tmp_path, text).answers.of(200))
    assert found == {"card.number $", "pii $.a", "pii.name $"}


@pytest.mark.parametrize("media", ["application/x-ndjson", "application/json-seq; a=b", "text/event-stream"])
def test_each_item_of_a_sequence_is_a_document(tmp_path: Path, media: str) -> None:
    schema = "{items: {properties: {a: {x-inward-data: pii}}}}"
    text = f"      responses: {{'200': {{content: {{'{media}': {{schema: {schema}}}}}}}}}\n"
    assert where(operation(tmp_path, text).answers.of(200)) == {"pii $.a", "pii $[*].a"}
    item = "{properties: {a: {x-inward-data: pii}}}"
    text = f"      responses: {{'200': {{content: {{'{media}': {{itemSchema: {item}}}}}}}}}\n"
    assert where(operation(tmp_path, text).answers.of(200)) == {"pii $.a", "pii $[*].a"}


def test_requests_and_parameters_carry_classes(tmp_path: Path) -> None:
    text = """\
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}, x-inward-data: pii}
        - {name: mail, in: query, schema: {items: {x-inward-data: pii.email}}}
        - {name: filter, in: query, content: {application/json: {schema: {properties: {n: {x-inward-data: pii.name}}}}}}
        - {name: page, in: query, schema: {type: integer}}
      requestBody: {$ref: '#/components/requestBodies/Body'}
      responses: {'204': {description: done}}
components:
  requestBodies:
    Body: {content: {application/json: {schema: {properties: {n: {x-inward-data: card.number}}}}}}
"""
    found = operation(tmp_path, text, method="post")
    assert [parameter.classes for parameter in found.parameters] == [("pii",), ("pii.email",), ("pii.name",), ()]
    assert where(found.body) == {"card.number $.n"}
    assert found.answers.undescribed == ()


def test_swagger_has_bodies_and_forms_among_its_parameters(tmp_path: Path) -> None:
    text = """\
      parameters:
        - {name: id, in: path, required: true, type: string, x-inward-data: pii}
        - {name: mails, in: formData, type: array, items: {type: string, x-inward-data: pii.email}}
        - {name: body, in: body, schema: {$ref: '#/definitions/Body'}}
      responses:
        200: {description: x, schema: {$ref: '#/definitions/Body'}}
        404: {description: x}
definitions:
  Body: {properties: {n: {x-inward-data: card.number}}}
"""
    found = operation(tmp_path, text, version="swagger: '2.0'")
    assert found.parameters[0].classes == ("pii",)
    assert where(found.body) == {"pii.email $.mails[*]", "card.number $.n"}
    assert where(found.answers.of(200)) == where(found.answers.of(404)) == {"card.number $.n"}


def test_data_in_a_header_of_an_answer_is_a_mistake(tmp_path: Path) -> None:
    _, mistakes = read(
        tmp_path,
        """\
openapi: 3.1.0
paths:
  /x:
    get:
      responses:
        '200':
          headers:
            X-Page: {schema: {type: integer}}
            X-Mail: {schema: {$ref: '#/components/schemas/Email'}}
components: {schemas: {Email: {x-inward-data: pii.email}}}
""",
    )
    assert mistakes == ["api.yaml:9: the header `X-Mail` carries `pii.email`, and headers cannot be cut (use the body)"]


def test_data_in_a_parameter_that_nobody_looks_at_is_a_mistake(tmp_path: Path) -> None:
    _, mistakes = read(
        tmp_path,
        """\
openapi: 3.1.0
paths:
  /x:
    parameters:
      - {name: X-Mail, in: header, schema: {$ref: '#/components/schemas/Email'}}
      - {name: X-Page, in: header, schema: {type: integer}}
    get:
      parameters:
        - {name: mail, in: cookie, x-inward-data: pii.email, schema: {type: string}}
        - {name: mail, in: query, schema: {$ref: '#/components/schemas/Email'}}
components: {schemas: {Email: {x-inward-data: pii.email}}}
""",
    )
    said = "carries `pii.email`, and only paths, queries and bodies are looked at (use the body)"
    assert mistakes == [
        f"api.yaml:5: the header parameter `X-Mail` {said}",
        f"api.yaml:9: the cookie parameter `mail` {said}",
    ]


def test_an_operation_with_too_large_a_shape_is_a_mistake_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "MAX_NODES", 2)
    text = f"openapi: 3.1.0\npaths:\n  /x:\n    get:\n      operationId: getX\n{ANSWERS}    put:\n{ANSWERS}"
    operations, mistakes = read(tmp_path, text)
    assert len(operations) == 2  # it is told once: every further one would cost as much
    (mistake,) = mistakes
    assert mistake.startswith("api.yaml:4: `getX`: what it describes has more than 2 parts with data of their own (")


def test_what_is_marked_as_no_data(tmp_path: Path) -> None:
    text = """\
      responses:
        '200':
          content:
            application/json:
              schema:
                properties:
                  a: {x-inward-data: pii}
                  b: {x-inward-data: none}
                  c: {items: {allOf: [{x-inward-data: none}, {type: string}]}}
                  d: {allOf: [{x-inward-data: none}, {x-inward-data: pii}]}
        '404': {content: {a/b: {x-inward-data: none}}}
"""
    answers = operation(tmp_path, text).answers
    assert where(answers.of(200)) == {"pii $.a", "pii $.d"}  # it takes nothing away from what is data
    assert where(answers.no_data) == {"none $", "none $.b", "none $.c[*]", "none $.d"}
    assert answers.classes == {"pii"}
    assert operation(tmp_path, ANSWERS).answers.no_data == NOTHING


def test_no_data_stands_alone(tmp_path: Path) -> None:
    schema = "{x-inward-data: [pii, none]}"
    text = f"      responses: {{'200': {{content: {{a/b: {{schema: {schema}}}}}}}}}\n"
    _, mistakes = read(tmp_path, f"openapi: 3.2.0\npaths:\n  /x:\n    get:\n{text}")
    assert len(mistakes) == 1
    assert "`none` stands in a list" in mistakes[0]
