"""Every block of code on every page does what the page says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from firecrest_sandbox import Sandbox, SandboxConfig
from tests.conftest import PROJECT
from tests.docs import pages, shell
from tests.docs.handling import Handling, handling
from tests.docs.pages import Block, Page
from tests.docs.reading import check_data, check_python
from tests.docs.running import Reader, environment_of

PAGES = [pages.read(name) for name in pages.names()]
EXECUTED = [page for page in PAGES if page.executed]


def blocks(*wanted: Handling) -> list[Block]:
    return [block for page in PAGES for block in page.blocks if handling(block, page) in wanted]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_something_is_done_with_every_block(page: Page) -> None:
    for block in page.blocks:
        handling(block, page)


@pytest.mark.parametrize("block", blocks(Handling.ELSEWHERE), ids=str)
def test_a_block_that_another_test_executes_is_that_tests(block: Block) -> None:
    test = PROJECT / str(block.mark("by"))
    assert block.page in test.read_text(encoding="utf-8")


@pytest.mark.parametrize("block", blocks(Handling.CHECKED, Handling.READ_BY_REFRAME), ids=str)
def test_a_block_is_what_it_is_said_to_be(block: Block, tmp_path: Path) -> None:
    if block.language == "bash":
        assert shell.problems(block.text) == []
    elif block.language == "python":
        check_python(block, tmp_path)
    else:
        check_data(block)


@pytest.mark.parametrize(
    "block", [block for block in blocks(Handling.EXECUTED) if block.language == "python"], ids=str
)
def test_a_program_runs(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(block.text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        env=environment_of(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Mapping[str, str]]:
    with Sandbox(SandboxConfig()) as running:
        yield running.environment()


@pytest.mark.e2e
@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.name)
def test_a_page_can_be_worked_through(page: Page, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    variables = request.getfixturevalue("sandbox") if page.beside_a_sandbox else {}
    if page.in_a_clone:
        for name in ("checks", "config", "docs"):
            (tmp_path / name).symlink_to(PROJECT / name)
    reader = Reader(tmp_path, environment_of(tmp_path, **variables))
    try:
        reader.work_through(page)
    finally:
        reader.close()
