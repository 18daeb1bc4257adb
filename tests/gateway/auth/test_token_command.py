from __future__ import annotations

import asyncio
import json
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from reframe_firecrest.gateway.auth.token_command import MAX_OUTPUT, CommandSource
from reframe_firecrest.gateway.auth.tokens import UNKNOWN_LIFETIME, Grant
from reframe_firecrest.gateway.http import operations
from reframe_firecrest.gateway.http.operations import Operation
from reframe_firecrest.model import errors, local_paths
from reframe_firecrest.session.reactor import reactor
from reframe_firecrest.settings.credentials import TokenCommand
from tests.gateway.helpers import TOKEN, run


def source(*words: str) -> CommandSource:
    return CommandSource(TokenCommand(token_command=words))


def shell(script: str) -> CommandSource:
    return source("sh", "-c", script)


def fails(command: CommandSource, kind: type[errors.GatewayError]) -> str:
    """Return the one line with which a command fails; neither it nor a traceback holds a token."""
    with pytest.raises(errors.GatewayError) as caught:
        run(command.fetch())
    assert type(caught.value) is kind
    line = str(caught.value)
    assert "\n" not in line
    assert TOKEN not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    return line


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Return true if a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_it_prints_is_the_token() -> None:
    assert run(source("echo", TOKEN).fetch()) == Grant(TOKEN, UNKNOWN_LIFETIME)
    answer = json.dumps({"access_token": TOKEN, "expires_in": 45})
    assert run(source("echo", answer).fetch()) == Grant(TOKEN, 45)


def test_words_reach_it_as_they_are_without_a_shell() -> None:
    assert run(source("printf", "%s", "$HOME|*").fetch()).value == "$HOME|*"


def test_it_runs_where_reframe_was_started_and_not_in_a_stage_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_paths, "started_in", lambda: tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    assert run(source("cat", "token").fetch()).value == TOKEN


def test_it_runs_on_the_sessions_thread_too() -> None:
    assert reactor().run(source("echo", TOKEN).fetch(), 20).value == TOKEN


def test_neither_ctrl_c_nor_reframes_waiting_for_children_reach_it() -> None:
    grant = run(shell("read -r pid name state parent group rest < /proc/self/stat; echo $group").fetch())
    assert grant.value != str(os.getpgrp())


def test_the_loop_continues_meanwhile(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def work() -> str:
        fetching = asyncio.create_task(source("cat", str(fifo)).fetch())
        # If the loop were blocked, the input of the command would never be written.
        await asyncio.to_thread(fifo.write_text, TOKEN)
        return (await fetching).value

    assert run(work()) == TOKEN


@pytest.mark.parametrize("script", ["exec sleep 60", "sleep 60 & wait", "sleep 60 &"])
def test_one_that_does_not_end_is_killed_with_its_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    monkeypatch.setattr(operations, "TOKEN_COMMAND", Operation("running", timeout=0.5))
    group = tmp_path / "group"
    line = fails(shell(f"echo {TOKEN}; echo $$ > {group}; {script}"), errors.TransientError)
    assert "'sh' gives no token: it has not ended within" in line
    wait_until(lambda: not alive_in(int(group.read_text())))


def alive_in(group: int) -> list[int]:
    """Return the processes of a group that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and runs(int(entry.name)):
                found.append(int(entry.name))
    return found


def test_one_that_nobody_waits_for_any_more_is_killed(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)

    async def work() -> int:
        fetching = asyncio.create_task(shell(f"echo $$ > {started}; exec sleep 60").fetch())
        pid = int(await asyncio.to_thread(started.read_text))
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        return pid

    assert not runs(run(work()))


@pytest.mark.parametrize(
    ("script", "reported"),
    [
        ("echo starting >&2; echo 'no ticket, run kinit' >&2; exit 3", "exit code 3: no ticket, run kinit"),
        ("exit 1", "exit code 1"),
        ("kill -9 $$", "signal 9 ended it"),
        ("printf 'a\\033[31mb' >&2; exit 1", "exit code 1: a[31mb"),
        (f"echo {TOKEN}; echo 'bad {TOKEN} here' >&2; exit 1", "exit code 1: bad *** here"),
    ],
)
def test_one_that_fails_is_reported_with_its_own_last_words(script: str, reported: str) -> None:
    # An unavailable identity provider cannot be distinguished from a mistake of the user.
    line = fails(shell(script), errors.TransientError)
    assert line.startswith("the token command 'sh' gives no token: ")
    assert line.endswith(reported)


def test_last_words_are_not_endless() -> None:
    assert (
        len(fails(shell("yes complaint | head -c 1000000 | tr '\\n' ' ' >&2; exit 1"), errors.TransientError))
        < 300
    )


@pytest.mark.parametrize(
    "script",
    [
        "true",
        "echo null",
        f"echo Your token is {TOKEN}",
        f'echo \'{{"token": "{TOKEN}"}}\'',
        f"yes {TOKEN} | tr -d '\\n' | head -c {MAX_OUTPUT * 3}",
    ],
)
def test_what_is_no_token_is_reported_without_showing_it(script: str) -> None:
    assert "prints no token" in fails(shell(script), errors.ProtocolError)


@pytest.mark.parametrize("content", [None, "not a program"])
def test_what_cannot_be_started_is_reported_with_the_remedy(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "get-token"
    if content is not None:
        path.write_text(content)
    line = fails(source(str(path)), errors.AuthError)
    assert "'get-token' can't be started: " in line
    assert "check 'token_command'" in line


@pytest.mark.parametrize("outage_log", ["", "echo sorry"], ids=["gone", "talks"])
def test_one_that_has_given_tokens_has_an_outage_whatever_happens(tmp_path: Path, outage_log: str) -> None:
    path = tmp_path / "get-token"
    path.write_text(f"#!/bin/sh\necho {TOKEN}\n")
    path.chmod(0o755)
    command = source(str(path))

    async def work() -> None:
        await command.fetch()
        if outage_log:
            path.write_text("#!/bin/sh\necho I am sorry\n")
        else:
            path.unlink()
        with pytest.raises(errors.TransientError):
            await command.fetch()

    run(work())


def test_its_words_are_not_printed() -> None:
    command = source("get", "--password", TOKEN)
    assert TOKEN not in repr(command)
    assert TOKEN not in fails(source("/nonexistent/get", "--password", TOKEN), errors.AuthError)
