"""API descriptions become operations: every version, names, methods, prefixes, references, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.catalog.folder import SystemFolder
from inward.catalog.model import Mode, Parameter
from inward.catalog.openapi.operations import Modes, read_operations

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Operation

MODES = Modes(Mode.ENFORCE, {"seen": Mode.OBSERVE})


def read(tmp_path: Path, text: str, **others: str) -> tuple[list[Operation], list[str]]:
    """Return the operations of a document and the mistakes in it, as text."""
    (tmp_path / "api.yaml").write_text(text)
    for name, other in others.items():
        (tmp_path / f"{name}.yaml").write_text(other)
    folder = SystemFolder(tmp_path)
    document = folder.open("api.yaml")
    assert document is not None
    operations = read_operations(folder, document, "orders", MODES)
    return operations or [], [str(mistake) for mistake in folder.mistakes]


def requests(operations: list[Operation]) -> list[str]:
    return [f"{operation.method} {operation.template.text}" for operation in operations]


def test_an_operation_is_read_whole(tmp_path: Path) -> None:
    text = """
openapi: 3.1.0
info: {title: Orders, version: 1.0.0}
paths:
  /orders/{id}:
    x-internal: true
    summary: one order
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
      - {name: trace, in: query, schema: {type: string}}
    get:
      operationId: getOrder
      deprecated: true
      parameters:
        - {name: full, in: query, required: true, schema: {type: boolean}}
        - {name: X-Tenant, in: header, schema: {type: string}}
      responses: {200: {description: it}}
    put:
      operationId: seen
"""
    (get, put), mistakes = read(tmp_path, text)
    assert mistakes == []
    assert (get.id, get.method, get.template.text, get.mode) == ("orders:getOrder", "GET", "/orders/{id}", Mode.ENFORCE)
    assert get.parameters == (
        Parameter("id", "path", "integer", required=True),
        Parameter("trace", "query", "string", required=False),
        Parameter("full", "query", "boolean", required=True),
    )
    assert (get.deprecated, get.read_only, str(get.place)) == (True, True, "api.yaml:11")
    assert (put.deprecated, put.read_only, put.mode, str(put.place)) == (False, False, Mode.OBSERVE, "api.yaml:18")


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.1", "3.2.0", "3.1", "'3.0'", "3.1.0-rc1"])
def test_the_versions_of_openapi(tmp_path: Path, version: str) -> None:
    operations, mistakes = read(tmp_path, f"openapi: {version}\npaths: {{/a: {{get: {{}}}}}}")
    assert (requests(operations), mistakes) == (["GET /a"], [])


def test_every_method_is_read(tmp_path: Path) -> None:
    methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
    text = "openapi: 3.0.0\npaths:\n  /a:\n" + "".join(f"    {method}: {{}}\n" for method in methods)
    operations, mistakes = read(tmp_path, text)
    assert ([operation.method.lower() for operation in operations], mistakes) == (methods, [])


def test_openapi_3_2_has_more_methods(tmp_path: Path) -> None:
    item = "{query: {}, additionalOperations: {COPY: {operationId: copy}, LINK: {}}}"
    operations, mistakes = read(tmp_path, f"openapi: 3.2.0\npaths: {{/a: {item}}}")
    assert ([operation.name for operation in operations], mistakes) == (["QUERY /a", "copy", "LINK /a"], [])
    operations, mistakes = read(tmp_path, f"openapi: 3.1.0\npaths: {{/a: {item}}}")
    assert operations == []
    assert [mistake.partition(" (")[0] for mistake in mistakes] == [
        "api.yaml:2: unknown key `query`",
        "api.yaml:2: unknown key `additionalOperations`",
    ]


@pytest.mark.parametrize("method", ["GET", "Get", "QUERY", "copy", "CONNECT", "'CO PY'", '"C\\r\\nX"', "''"])
def test_methods_that_are_none(tmp_path: Path, method: str) -> None:
    operations, mistakes = read(
        tmp_path, f"openapi: 3.2.0\npaths: {{/a: {{additionalOperations: {{{method}: {{}}}}}}}}"
    )
    assert operations == []
    assert len(mistakes) == 1
    assert "has a field of its own" in mistakes[0] or "is no method" in mistakes[0]


@pytest.mark.parametrize("name", ["repos/list-for-org", "no", "a b", "it's", "x:y", "read2", "{a}", "~", "a" * 200])
def test_names_that_stay(tmp_path: Path, name: str) -> None:
    quoted = name.replace("'", "''")
    (operation,), mistakes = read(
        tmp_path, f"openapi: 3.0.0\npaths:\n  /a/{{id}}:\n    get: {{operationId: '{quoted}'}}"
    )
    assert (operation.name, mistakes) == (name, [])


@pytest.mark.parametrize(
    "name",
    [
        'a"b',
        "a\\b",
        "größe",
        " a",
        "a ",
        "a\u200bb",
        "read",
        "write",
        "*",
        "a" * 201,
        "a\tb",
        "\N{CYRILLIC SMALL LETTER A}",
    ],
)
def test_names_that_are_awkward_give_way_to_method_and_path(tmp_path: Path, name: str) -> None:
    text = f"openapi: 3.0.0\nservers: [{{url: /v1}}]\npaths:\n  /a/{{id}}:\n    get: {{operationId: '{name}'}}"
    (operation,), mistakes = read(tmp_path, text)
    assert (operation.name, mistakes) == ("GET /v1/a/{id}", [])


def test_yaml_words_are_names(tmp_path: Path) -> None:
    (operation,), mistakes = read(tmp_path, "openapi: 3.0.0\npaths: {/on: {get: {operationId: no}}}")
    assert (operation.name, mistakes) == ("no", [])


@pytest.mark.parametrize(
    ("servers", "path"),
    [
        ("[]", "/a"),
        ("[{url: 'https://api.example.org'}]", "/a"),
        ("[{url: 'https://api.example.org/'}]", "/a"),
        ("[{url: 'https://api.example.org/v1/'}]", "/v1/a"),
        ("[{url: '//host/v1'}]", "/v1/a"),
        ("[{url: /}]", "/a"),
        ("[{url: /v1/x}]", "/v1/x/a"),
        ("[{url: v1}]", "/v1/a"),
        ("[{url: ./v1}]", "/v1/a"),
        ("[{url: .}]", "/a"),
        ("[{url: 'https://a.org/v1'}, {url: 'http://b.org:8080/v1/'}]", "/v1/a"),
        ("[{url: 'https://{h}.org/{b}', variables: {h: {default: x}, b: {default: v2, enum: [v1, v2]}}}]", "/v2/a"),
        ("[{url: '{root}/v3', variables: {root: {default: 'https://a.org'}}}]", "/v3/a"),
    ],
)
def test_paths_are_under_the_prefix_of_the_servers(tmp_path: Path, servers: str, path: str) -> None:
    operations, mistakes = read(tmp_path, f"openapi: 3.0.0\nservers: {servers}\npaths: {{/a: {{get: {{}}}}}}")
    assert (requests(operations), mistakes) == ([f"GET {path}"], [])


def test_the_nearest_servers_count(tmp_path: Path) -> None:
    text = """
openapi: 3.0.0
servers: [{url: /root}]
paths:
  /a:
    servers: [{url: /item}]
    get: {}
    put: {servers: [{url: /own}]}
    post: {servers: []}
  /b: {get: {}}
"""
    operations, mistakes = read(tmp_path, text)
    assert (requests(operations), mistakes) == (["GET /item/a", "PUT /own/a", "POST /item/a", "GET /root/b"], [])


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        ("[{url: /v1}, {url: /v2}]", "api.yaml:2: the servers have different paths: `/v1` and `/v2` (keep the one"),
        ("[{url: 'https://a.org'}, {url: /v2}]", "api.yaml:2: the servers have different paths: `/` and `/v2`"),
        ("[{url: '/{v}'}]", "api.yaml:2: the variable `v` of `url` has no default"),
        ("[{url: '/{v}', variables: {v: {}}}]", "api.yaml:2: `v` has no `default`"),
        ("[{url: '/{v}', variables: {v: {default: 1}}}]", "api.yaml:2: `default` must be text and is a number"),
        ("[{url: 'localhost:8080/v1'}]", "api.yaml:2: `localhost:8080/v1` is no URL of a server"),
        ("[{url: 'https://[::1/v1'}]", "is no URL of a server"),
        ("[{url: '/v1?x=y'}]", "is no URL of a server"),
        ("[{}]", "api.yaml:2: item 1 of `servers` has no `url`"),
        ("[text]", "api.yaml:2: item 1 of `servers` must be a mapping and is text"),
        ("text", "api.yaml:2: `servers` must be a list and is text"),
        ("[{url: /a/../b}]", "api.yaml:3: the path `/a/../b/a` has the segment `..`"),
        ("[{url: /a//b}]", "api.yaml:3: the path `/a//b/a` has an empty segment"),
    ],
)
def test_servers_that_are_wrong(tmp_path: Path, servers: str, why: str) -> None:
    _, mistakes = read(tmp_path, f"openapi: 3.0.0\nservers: {servers}\npaths: {{/a: {{get: {{}}}}}}")
    assert any(why in mistake for mistake in mistakes)


def test_swagger(tmp_path: Path) -> None:
    text = """
swagger: "2.0"
basePath: /api/v2/
servers: [{url: /ignored}]
parameters:
  id: {name: id, in: path, required: true, type: integer}
paths:
  /pets/{id}:
    parameters: [{$ref: '#/parameters/id'}]
    get:
      operationId: getPet
      parameters:
        - {name: deep, in: query, type: boolean}
        - {name: tags, in: query, type: array, items: {type: string}}
        - {name: body, in: body, schema: {type: object}}
        - {name: file, in: formData, type: file}
"""
    (operation,), mistakes = read(tmp_path, text)
    assert mistakes == []
    assert (operation.name, operation.template.text) == ("getPet", "/api/v2/pets/{id}")
    assert operation.parameters == (
        Parameter("id", "path", "integer", required=True),
        Parameter("deep", "query", "boolean", required=False),
        Parameter("tags", "query", "string", required=False),
    )
    operations, mistakes = read(tmp_path, "swagger: 2.0\nbasePath: /\npaths: {/a: {get: {}}}")
    assert (requests(operations), mistakes) == (["GET /a"], [])


def test_path_items_are_followed_across_files(tmp_path: Path) -> None:
    text = """
openapi: 3.1.0
paths:
  /orders/{id}:
    $ref: 'items.yaml#/order'
    put: {operationId: put}
"""
    items = """
order:
  parameters: [{$ref: 'parts.yaml#/id'}]
  get: {operationId: get}
"""
    (get, put), mistakes = read(tmp_path, text, items=items, parts="id: {name: id, in: path, schema: {type: integer}}")
    assert mistakes == []
    assert {operation.name: str(operation.place) for operation in (get, put)} == {
        "get": "items.yaml:4",
        "put": "api.yaml:6",
    }
    for operation in (get, put):
        assert operation.parameters == (Parameter("id", "path", "integer", required=True),)


def test_a_field_here_and_where_the_path_item_refers_to_is_a_mistake(tmp_path: Path) -> None:
    text = "openapi: 3.1.0\npaths:\n  /a:\n    $ref: '#/x'\n    get: {}\nx:\n  get: {}\n"
    _, mistakes = read(tmp_path, text)
    assert mistakes == ["api.yaml:5: `get` stands here and in the path item that this one refers to (keep one)"]


def test_path_items_that_refer_in_a_circle(tmp_path: Path) -> None:
    operations, mistakes = read(
        tmp_path, "openapi: 3.1.0\npaths:\n  /a: {$ref: '#/paths/~1b'}\n  /b: {$ref: '#/paths/~1a'}\n"
    )
    assert operations == []
    assert mistakes == [
        "api.yaml:3: the `$ref` of `/a` leads back to itself",
        "api.yaml:4: the `$ref` of `/b` leads back to itself",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "api.yaml:1: the document must be a mapping and is a list"),
        ("", "api.yaml:1: the document must be a mapping and is empty"),
        ("paths: {}", "api.yaml:1: the document has no `openapi` or `swagger` version"),
        ("openapi: 3.0.0", "api.yaml:1: the document has no `paths`"),
        ("openapi: 4.0.0\npaths: {}", "api.yaml:1: version `4.0.0` cannot be read"),
        ("openapi: '2.0'\npaths: {}", "version `2.0` cannot be read"),
        ("swagger: '3.0'\npaths: {}", "version `3.0` cannot be read"),
        ("swagger: '1.2'\npaths: {}", "version `1.2` cannot be read"),
        ("openapi: 3\npaths: {}", "version `3` cannot be read"),
        ("openapi: [3]\npaths: {}", "version `[3]` cannot be read"),
        ("openapi: 3.0.0\npaths: []", "api.yaml:2: `paths` must be a mapping and is a list"),
        ("openapi: 3.0.0\npaths: 7", "api.yaml:2: `paths` must be a mapping and is a number"),
        ("openapi: 3.0.0\npaths:\n", "api.yaml:2: `paths` must be a mapping and is empty"),
        ("openapi: 3.0.0\npaths:\n  /a: []", "api.yaml:3: `/a` must be a mapping and is a list"),
        ("openapi: 3.0.0\npaths:\n  /a: {get: []}", "api.yaml:3: `get` must be a mapping and is a list"),
        ("openapi: 3.0.0\npaths:\n  /a: {gett: {}}", "api.yaml:3: unknown key `gett` (did you mean `get`?)"),
        ("openapi: 3.0.0\npaths:\n  /a: {GET: {}}", "api.yaml:3: unknown key `GET`"),
        ("openapi: 3.0.0\npaths:\n  a: {get: {}}", "api.yaml:3: the path `a` does not start with a slash"),
        ("openapi: 3.0.0\npaths:\n  '/a?b': {get: {}}", "api.yaml:3: the path `/a?b` holds one of"),
        ("openapi: 3.0.0\npaths:\n  '/a/{b': {get: {}}", "api.yaml:3: the path `/a/{b` has braces that do not pair"),
        ("openapi: 3.0.0\npaths:\n  '/{a}/{a}': {get: {}}", "names a variable twice"),
        ("openapi: 3.0.0\npaths:\n  /a: {get: {operationId: 7}}", "`operationId` must be text and is a number (put it"),
        ("openapi: 3.0.0\npaths:\n  /a: {get: {deprecated: 'yes'}}", "`deprecated` must be true or false and is text"),
        ("openapi: 3.0.0\npaths:\n  /a: {get: {parameters: {}}}", "`parameters` must be a list and is a mapping"),
        ("swagger: '2.0'\nbasePath: v1\npaths: {}", "api.yaml:2: `basePath` does not start with a slash"),
        ("openapi: 3.0.0\npaths:\n  /a: {$ref: 'https://example.org/a.yaml'}", "is not in the system folder"),
        ("openapi: 3.0.0\npaths:\n  /a: {$ref: 'gone.yaml'}", "api.yaml:3: `gone.yaml` does not exist"),
        ("openapi: 3.0.0\npaths:\n  /a: {$ref: '#/openapi'}", "api.yaml:1: `openapi` must be a mapping and is text"),
    ],
)
def test_what_is_wrong_is_one_mistake(tmp_path: Path, text: str, why: str) -> None:
    _, mistakes = read(tmp_path, text)
    assert len(mistakes) == 1
    assert why in mistakes[0]


def test_one_mistake_does_not_hide_the_others(tmp_path: Path) -> None:
    text = "openapi: 3.0.0\npaths:\n  a: {get: {}}\n  /b: {get: {}, x: {}}\n  /c: 7\n  /d: {get: {}}\n  x-e: 7\n"
    operations, mistakes = read(tmp_path, text)
    assert requests(operations) == ["GET /b", "GET /d"]
    assert [mistake.partition(": ")[0] for mistake in mistakes] == ["api.yaml:3", "api.yaml:4", "api.yaml:5"]
