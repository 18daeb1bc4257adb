"""The tools that test the pages find what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import pages, shell
from tests.docs.handling import Handling, handling
from tests.docs.pages import Block, Page
from tests.docs.reading import check_python
from tests.docs.running import Reader, environment_of, first_missing


def page_of(text: str) -> Page:
    return pages.parse("page.md", text)


class TestPages:
    def test_blocks_have_the_marks_that_stand_before_them(self) -> None:
        page = page_of("<!-- test: skip: because -->\n\n```bash\na\n```\n\n```json\n{}\n```\n")
        assert [(block.language, block.mark("skip")) for block in page.blocks] == [
            ("bash", "because"),
            ("json", None),
        ]

    def test_a_mark_without_a_block_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="no block follows"):
            page_of("<!-- test: skip: because -->\n\nWords.\n\n```bash\na\n```\n")

    def test_a_page_is_marked_as_executed(self) -> None:
        page = page_of("<!-- test: executed, sandbox -->\n\n```bash\ntrue\n```\n")
        assert page.executed
        assert page.beside_a_sandbox
        assert not page.in_a_clone
        assert handling(page.blocks[0], page) is Handling.EXECUTED

    @pytest.mark.parametrize(
        "text", ["    indented\n", "```\nsomething\n```\n", "```cobol\n```\n", "```text\n```\n"]
    )
    def test_a_block_that_nothing_checks_is_an_error(self, text: str) -> None:
        page = page_of(text)
        with pytest.raises(ValueError, match="nothing checks"):
            handling(page.blocks[0], page)

    def test_an_exemption_needs_a_reason(self) -> None:
        page = page_of("<!-- test: skip: -->\n\n```bash\na\n```\n")
        with pytest.raises(ValueError, match="say why"):
            handling(page.blocks[0], page)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("reframe-firecrest stauts", "no command stauts"),
        ("x=1 reframe-firecrest status --wacth", "no option --wacth"),
        ("true && reframe-firecrest --verison", "no option --verison"),
        ("reframe-firecrest sandbox -- reframe --runn", "ReFrame has no option --runn"),
        ("~/bin/reframe -C a.py --lost", "ReFrame has no option --lost"),
        ("make everything", "no target everything"),
        ("pip install '.[sandbx]'", "no extra sandbx"),
        ("if true; then", "syntax error"),
    ],
)
def test_a_command_that_would_not_work_is_found(text: str, problem: str) -> None:
    assert any(problem in found for found in shell.problems(text))


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ("ran 3 of 4", None),
        ("ran  3  of 4", None),
        ("ran ... 4\nend", None),
        ("end\nran 3 of 4", "ran 3 of 4"),
        ("ran three", "ran three"),
    ],
)
def test_what_was_not_printed_is_found(shown: str, missing: str | None) -> None:
    assert first_missing(shown, "begin\nran 17 of 18\nsomething\nend\n") == missing


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('"sched_options": {"firecrest": {"base_dir": "/x"}},', "unknown key"),
        ("site_configuration = {'systems': [{'name': 'a'}]}", "Traceback"),
        (
            "import reframe as rfm\n@rfm.simple_test\nclass Broken(rfm.RegressionTest):\n    x = y",
            "name 'y' is not defined",
        ),
        ("def broken(", "was never closed"),
    ],
)
def test_python_that_would_not_work_is_found(text: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=error):
        check_python(Block("page.md", 1, "python", text), tmp_path)


class TestReader:
    @pytest.fixture
    def reader(self, tmp_path: Path) -> Reader:
        return Reader(tmp_path, environment_of(tmp_path))

    def test_what_a_block_exports_and_where_it_goes_lasts(self, reader: Reader) -> None:
        reader.work_through(
            page_of(
                "<!-- test: executed -->\n\n```bash\nexport WORD=hello\nmkdir d && cd d\n```\n\n"
                "```bash\necho $WORD from ${PWD##*/}\n```\n\n```text\nhello from d\n```\n"
            )
        )

    def test_a_block_that_fails_is_found(self, reader: Reader) -> None:
        with pytest.raises(AssertionError, match="ended with 1"):
            reader.work_through(page_of("<!-- test: executed -->\n\n```bash\nfalse\ntrue\n```\n"))

    def test_output_that_differs_is_found(self, reader: Reader) -> None:
        with pytest.raises(AssertionError, match="not printed: bye"):
            reader.work_through(
                page_of("<!-- test: executed -->\n\n```bash\necho hi\n```\n\n```text\nbye\n```\n")
            )
