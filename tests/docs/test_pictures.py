"""The drawings are up to date, and show the packages and the phases that exist."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from docs import _pictures as pictures
from docs._generated import update
from reframe_firecrest.model.job import Phase
from tests.test_package import PACKAGES


def texts(drawing: str) -> set[str]:
    root = ElementTree.fromstring(drawing)
    return {element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")}


def test_the_drawings_are_up_to_date() -> None:
    assert update(pictures.DIRECTORY, pictures.PICTURES, check=True) == [], "run: make docs"


def test_every_package_is_drawn_with_a_note() -> None:
    assert {f"{package}/" for package in (*PACKAGES, "firecrest_sandbox")} <= texts(pictures.packages())
    assert set(pictures.PACKAGE_NOTES) == {*PACKAGES, "firecrest_sandbox"}


def test_every_phase_is_drawn() -> None:
    assert {phase.name for phase in Phase} <= texts(pictures.job_life())


def test_arrows_point_down_to_what_is_imported() -> None:
    graph = pictures.imports()
    height = pictures.rows(graph)
    ours = [(start, end) for start, end in pictures.essential(graph) if {start, end} <= set(PACKAGES)]
    assert ("plugin", "session") in ours
    assert [(start, end) for start, end in ours if height[start] <= height[end]] == []


def test_imports_that_follow_from_others_are_not_drawn() -> None:
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}
    assert pictures.essential(graph) == [("a", "b"), ("b", "c")]


def test_a_drawing_that_is_not_up_to_date_is_named_and_written(tmp_path: Path) -> None:
    assert update(tmp_path, pictures.PICTURES, check=True) == list(pictures.PICTURES)
    update(tmp_path, pictures.PICTURES, check=False)
    assert update(tmp_path, pictures.PICTURES, check=True) == []
