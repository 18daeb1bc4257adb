"""The CI/CD component for GitLab as data: its inputs, and its jobs for given inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import PROJECT

TEMPLATE = PROJECT / "templates/reframe.yml"

_HEADER, _BODY = TEMPLATE.read_text().split("\n---\n")


def header() -> dict[str, Any]:
    """Return the first document, which specifies the inputs."""
    content: dict[str, Any] = YAML(typ="safe").load(_HEADER)
    return content


def inputs() -> dict[str, dict[str, Any]]:
    """Return the inputs with their types, defaults and rules."""
    found: dict[str, dict[str, Any]] = header()["spec"]["inputs"]
    return found


def body(given: Mapping[str, Any]) -> str:
    """Return the second document with these inputs in their places."""
    values = {name: one["default"] for name, one in inputs().items() if "default" in one} | dict(given)

    def text(found: re.Match[str]) -> str:
        value = values[found[1]]
        return value if isinstance(value, str) else json.dumps(value)

    return re.sub(r"\$\[\[ inputs\.(\w+) \]\]", text, _BODY)


def variables() -> dict[str, str]:
    """Return the variables whose defaults are inputs: the names of the inputs by those of the variables."""
    return dict(re.findall(r'^  (\w+):(?:\n    value:)? "\$\[\[ inputs\.(\w+) \]\]"$', _BODY, re.MULTILINE))
