"""Runs the bash blocks of a page, in their order, in one directory, as a reader would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.handling import Handling, handling
from tests.docs.pages import Block, Page

PATIENCE = 120.0
"""Seconds for one block."""

STATE = ".state-of-the-test"

_COLOURS = re.compile(r"\x1b\[[\d;]*m")


@dataclass
class Reader:
    """A reader who works through a page.

    Attributes:
        directory: working directory and home directory.
        environment: variables of the first block; exports of a block are kept for the next ones.
        printed: output of the last block.
        processes: background processes.
    """

    directory: Path
    environment: Mapping[str, str]
    printed: str = ""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def work_through(self, page: Page) -> None:
        """Do what the page says.

        Raises:
            AssertionError: a block does not do what the page promises.
        """
        for block in page.blocks:
            what = handling(block, page)
            if block.file and what is not Handling.EXEMPT:
                (self.directory / block.file).parent.mkdir(parents=True, exist_ok=True)
                (self.directory / block.file).write_text(block.text)
            if block.language == "bash" and what is Handling.EXECUTED:
                self._run(block)
            elif what is Handling.COMPARED:
                missing = first_missing(block.text, self.printed)
                assert missing is None, f"{block}: not printed: {missing}\n{self.printed}"

    def _run(self, block: Block) -> None:
        output = self.directory / ".printed"
        with output.open("w") as file:
            process = subprocess.Popen(
                ["bash", "-c", self._script(block.text)],
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)
        until = block.mark("until")
        if until is not None:
            self._await(process, self.directory / until, block)
            return
        code = process.wait(PATIENCE)
        self.printed = _COLOURS.sub("", output.read_text())
        expected = int(block.mark("exit") or 0)
        assert code == expected, f"{block}: ended with {code}\n{self.printed}"

    def _script(self, text: str) -> str:
        """Put what the blocks before have exported, and where they went, around a block."""
        state = self.directory / STATE
        before = f'. {state}; cd -- "$PWD_OF_THE_TEST"\n' if state.exists() else ""
        after = f"export PWD_OF_THE_TEST=$PWD; declare -px > {state}"
        return f"{before}trap 'code=$?; {after}; exit $code' EXIT\nset -e\n{text}"

    def _await(self, process: subprocess.Popen[str], file: Path, block: Block) -> None:
        deadline = time.monotonic() + PATIENCE
        while not file.exists() or not file.stat().st_size:
            assert process.poll() is None, f"{block}: it ended"
            assert time.monotonic() < deadline, f"{block}: no {file}"
            time.sleep(0.05)

    def close(self) -> None:
        """End the background processes."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            process.wait(PATIENCE)


def environment_of(directory: Path, **more: str) -> dict[str, str]:
    """Return the variables of a reader at home in a directory, who has the package on the path."""
    return {
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **more,
    }


def first_missing(shown: str, printed: str) -> str | None:
    """Return the first line of a block that was not printed behind those before it, None if all were.

    Numbers stand for any numbers, a run of blanks for any such run, and ``...`` for anything.
    """
    rest = printed.splitlines()
    for line in shown.splitlines():
        if not line.strip() or line.strip() == "...":
            continue
        pattern = re.compile(pattern_of(line))
        while rest and not pattern.fullmatch(rest[0].strip()):
            rest.pop(0)
        if not rest:
            return line
        rest.pop(0)
    return None


def pattern_of(line: str) -> str:
    """Make a regular expression of a line that a page shows."""
    parts = re.split(r"(\.\.\.|\d[\d.,:-]*\d|\d|\s+|[-=]{4,})", line.strip())
    return "".join(_part(part) for part in parts if part)


def _part(part: str) -> str:
    if part == "...":
        return ".*"
    if part[0].isdigit():
        return r"\d[\d.,:-]*"
    if part.isspace():
        return r"\s+"
    return r"[-=]+" if re.fullmatch(r"[-=]{4,}", part) else re.escape(part)
