"""A settings file has to import the package, directly or by another module."""

from __future__ import annotations

from pathlib import Path

import pytest

from reframe_firecrest.commands.doctor.imports import require_import
from reframe_firecrest.model.errors import DetectionError


@pytest.mark.parametrize(
    "text",
    ["import reframe_firecrest", "import reframe_firecrest.compat", "from reframe_firecrest import compat"],
)
def test_a_file_that_imports_the_package_is_accepted(text: str, tmp_path: Path) -> None:
    file = tmp_path / "site.py"
    file.write_text(f"{text}\nraise SystemExit('not executed')\n")
    require_import(file)


def test_an_import_by_another_module_counts(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import reframe_firecrest\n")
    file = tmp_path / "site.py"
    file.write_text(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport helper\n")
    require_import(file)


@pytest.mark.parametrize(("name", "text"), [("site.py", "site_configuration = {}\n"), ("site.json", "{}")])
def test_a_file_without_the_import_is_refused_with_the_remedy(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(DetectionError, match=r"add the line: import reframe_firecrest$"):
        require_import(file)


def test_an_error_of_the_file_itself_is_left_to_reframe(tmp_path: Path) -> None:
    file = tmp_path / "site.py"
    file.write_text("raise RuntimeError('broken')\n")
    require_import(file)
