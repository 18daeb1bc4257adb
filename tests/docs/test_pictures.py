"""The drawings are up to date, and show the packages and the phases that exist."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from xml.etree import ElementTree

import pytest

from reframe_firecrest.model.job import Phase
from tests.conftest import PROJECT
from tests.test_package import PACKAGES


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_pictures", PROJECT / "docs/_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def texts(drawing: str) -> set[str]:
    root = ElementTree.fromstring(drawing)
    return {element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")}


def test_the_drawings_are_up_to_date(pictures: ModuleType) -> None:
    assert pictures.main(check=True) == [], "run: make docs"


def test_every_package_is_drawn_with_a_note(pictures: ModuleType) -> None:
    assert {f"{package}/" for package in (*PACKAGES, "firecrest_sandbox")} <= texts(pictures.packages())
    assert set(pictures.PACKAGE_NOTES) == {*PACKAGES, "firecrest_sandbox"}


def test_every_phase_is_drawn(pictures: ModuleType) -> None:
    assert {phase.name for phase in Phase} <= texts(pictures.job_life())


def test_arrows_point_down_to_what_is_imported(pictures: ModuleType) -> None:
    graph = pictures.imports()
    height = pictures.rows(graph)
    ours = [(start, end) for start, end in pictures.essential(graph) if {start, end} <= set(PACKAGES)]
    assert ("plugin", "session") in ours
    assert [(start, end) for start, end in ours if height[start] <= height[end]] == []


def test_imports_that_follow_from_others_are_not_drawn(pictures: ModuleType) -> None:
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}
    assert pictures.essential(graph) == [("a", "b"), ("b", "c")]


def test_a_drawing_that_is_not_up_to_date_is_named_and_written(
    pictures: ModuleType, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "DIRECTORY", tmp_path)
    assert pictures.main(check=True) == list(pictures.PICTURES)
    pictures.main(check=False)
    assert pictures.main(check=True) == []
