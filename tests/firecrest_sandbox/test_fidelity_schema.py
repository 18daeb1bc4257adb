"""The sandbox's OpenAPI schema against that of a real FirecREST v2 gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firecrest_sandbox.v2.app import build_api
from tests.firecrest_sandbox.differences import DIFFERENCES

PROJECT = Path(__file__).resolve().parents[2]
REAL_SCHEMA = PROJECT.parent / "shared" / "firecrest-api" / "openapi-v2.json"

pytestmark = pytest.mark.skipif(
    not REAL_SCHEMA.is_file(), reason="no directory `shared` with the real schema beside the project"
)

Operations = dict[tuple[str, str], dict[str, Any]]
EXCUSED_RESPONSES = {("/status/systems", "get"): "systems-schema"}


def operations(schema: dict[str, Any]) -> Operations:
    return {
        (path, method): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


def load() -> tuple[dict[str, Any], dict[str, Any]]:
    return json.loads(REAL_SCHEMA.read_text()), build_api().openapi()


REAL, OURS = load() if REAL_SCHEMA.is_file() else ({"paths": {}}, {"paths": {}})
BOTH = sorted(operations(REAL).keys() & operations(OURS).keys())


def resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        found: dict[str, Any] = whole["components"]["schemas"][name]
        return found
    return schema


def shape(schema: dict[str, Any], whole: dict[str, Any]) -> Any:
    """Return what a schema allows: types, properties, enumerations; no titles or texts."""
    schema = resolved(schema, whole)
    if len(schema.get("allOf", [])) == 1:
        return shape(schema["allOf"][0], whole)
    if "anyOf" in schema:
        return sorted((shape(one, whole) for one in schema["anyOf"]), key=str)
    if schema.get("type") == "object" and "properties" in schema:
        properties = schema["properties"].items()
        return {name: shape(one, whole) for name, one in properties}
    if schema.get("type") == "array":
        return [shape(schema["items"], whole)]
    if "enum" in schema:
        return set(schema["enum"])
    return schema.get("type", "anything")


def parameters(operation: dict[str, Any], whole: dict[str, Any]) -> dict[Any, Any]:
    return {
        (one["name"], one["in"]): (
            one.get("required", False),
            str(shape(one["schema"], whole)) if "enum" not in str(one) else "enum",
            one["schema"].get("default"),
            one["schema"].get("pattern"),
        )
        for one in operation.get("parameters", [])
    }


def answers(operation: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    contents: dict[str, dict[str, Any]] = {
        status: next((one.get("schema", {}) for one in answer.get("content", {}).values()), {})
        for status, answer in operation["responses"].items()
    }
    return {status: shape(schema, whole) for status, schema in contents.items()}


def body(operation: dict[str, Any], whole: dict[str, Any]) -> tuple[str, dict[str, Any], Any] | None:
    content = operation.get("requestBody", {}).get("content")
    if content is None:
        return None
    [(media_type, described)] = content.items()
    schema = resolved(described["schema"], whole)
    return media_type, schema["properties"], set(schema.get("required", []))


def test_every_path_of_the_real_gateway_is_there_and_no_other() -> None:
    assert operations(OURS).keys() == operations(REAL).keys()


@pytest.mark.parametrize(("path", "method"), BOTH)
def test_parameters_are_the_same(path: str, method: str) -> None:
    ours, real = operations(OURS)[path, method], operations(REAL)[path, method]
    assert parameters(ours, OURS) == parameters(real, REAL)


@pytest.mark.parametrize(("path", "method"), BOTH)
def test_statuses_and_answers_are_the_same(path: str, method: str) -> None:
    ours = answers(operations(OURS)[path, method], OURS)
    real = answers(operations(REAL)[path, method], REAL)
    assert ours.keys() == real.keys()
    if (excuse := EXCUSED_RESPONSES.get((path, method))) is not None:
        assert excuse in DIFFERENCES
        return
    for status, shown in ours.items():
        assert shown == real[status], status


@pytest.mark.parametrize(
    ("path", "method"), [key for key in BOTH if "requestBody" in operations(REAL).get(key, {})]
)
def test_request_bodies_have_the_same_fields(path: str, method: str) -> None:
    ours, real = (body(operations(schema)[path, method], schema) for schema in (OURS, REAL))
    assert ours is not None
    assert real is not None
    assert ours[0] == real[0]
    assert ours[1].keys() == real[1].keys()
    assert ours[2] == real[2]
    for name, field in ours[1].items():
        if name != "file":
            assert shape(field, OURS) == shape(real[1][name], REAL), name
