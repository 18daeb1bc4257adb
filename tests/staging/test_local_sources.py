"""Files of the tests' code that scripts name are sent on demand, and reported otherwise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reframe_firecrest.staging import local_sources
from reframe_firecrest.staging.file_translation import Translated, Translator
from reframe_firecrest.staging.local_sources import LocalSources
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.paths import PathMap, outside

REMOTE = "/scratch/me/run"


class Suite:
    """A directory of checks beside a stage directory that names files in it."""

    def __init__(self, root: Path) -> None:
        self.checks = root / "checks"
        self.stage = root / "prefix" / "stage" / "sys" / "part" / "env" / "test"
        self.scratch = root / "scratch"
        for directory in (self.checks / "helper", self.stage, self.scratch):
            directory.mkdir(parents=True)
        self.tool = self.checks / "helper" / "tool.sh"
        self.tool.write_text("echo tool\n")
        self.remote = f"{REMOTE}/{outside(str(self.checks))}"
        self.prefix = str(root / "prefix" / "stage")

    def sources(
        self, *, send: bool = True, elsewhere: tuple[str, ...] = (), private: Any = ()
    ) -> LocalSources:
        made = LocalSources(send=send, elsewhere=(self.prefix, *elsewhere))
        made.add([str(self.checks)], private)
        return made

    def translate(
        self, script: str, sources: LocalSources, files: Mapping[str, bytes] | None = None
    ) -> Translated:
        (self.stage / "job.sh").write_text(script)
        for name, content in (files or {}).items():
            (self.stage / name).write_bytes(content)
        paths = PathMap(self.prefix, REMOTE, sources=sources)
        translator = Translator(paths, str(self.stage), self.scratch)
        return translator.translate(scan(str(self.stage)), "job.sh", lambda text: text, 4096)

    def script(self, script: str, sources: LocalSources) -> str:
        return self.translate(script, sources).replaced["job.sh"].decode()


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_named_file_is_sent_alone_and_its_path_is_rewritten(suite: Suite) -> None:
    (suite.checks / "other.txt").write_text("not named")
    found = suite.translate(f"bash {suite.tool} 1\n", suite.sources())
    assert found.replaced["job.sh"].decode() == f"bash {suite.remote}/helper/tool.sh 1\n"
    [files] = found.sources
    assert [*files.entries] == ["helper/tool.sh"]


def test_a_named_directory_is_sent_with_its_content(suite: Suite) -> None:
    (suite.checks / "helper" / "sub").mkdir()
    (suite.checks / "helper" / "sub" / "data").write_text("x")
    found = suite.translate(f"ls {suite.tool.parent}/*.sh\n", suite.sources())
    assert found.replaced["job.sh"].decode() == f"ls {suite.remote}/helper/*.sh\n"
    [files] = found.sources
    assert sorted(files.entries) == ["helper", "helper/sub", "helper/sub/data", "helper/tool.sh"]


def test_texts_in_the_stage_directory_count_like_the_script(suite: Suite) -> None:
    files = {"input.txt": f"table = {suite.tool}\n".encode(), "blob": b"\0" + bytes(suite.tool)}
    found = suite.translate("true\n", suite.sources(), files)
    assert found.replaced["input.txt"].decode() == f"table = {suite.remote}/helper/tool.sh\n"
    assert len(found.sources) == 1
    assert found.untranslated == []


def test_one_warning_names_each_path_and_the_setting(suite: Suite, caplog: pytest.LogCaptureFixture) -> None:
    sources = suite.sources(send=False)
    script = f"bash {suite.tool}; bash {suite.tool} again; ls {suite.checks}/helper\n"
    for _ in range(2):
        assert suite.script(script, sources) == script
    first, second = warnings(caplog)
    assert f"{suite.tool}, which a text in {suite.stage} names" in first
    assert "'path_map' to \"auto\"" in first
    assert f"{suite.checks}/helper," in second


@pytest.mark.parametrize("send", [True, False])
def test_what_does_not_exist_here_is_left_alone(
    suite: Suite, caplog: pytest.LogCaptureFixture, *, send: bool
) -> None:
    script = f"cat {suite.checks}/missing {suite.checks}-more/x /opt{suite.tool}\n"
    assert suite.script(script, suite.sources(send=send)) == script
    assert warnings(caplog) == []


@pytest.mark.parametrize("mapped", ["checks", "checks/helper", "checks/helper/tool.sh"])
def test_a_mapping_of_its_own_goes_first(
    suite: Suite, tmp_path: Path, caplog: pytest.LogCaptureFixture, mapped: str
) -> None:
    script = f"bash {suite.tool}\n"
    assert suite.script(script, suite.sources(elsewhere=(str(tmp_path / mapped),))) == script
    assert warnings(caplog) == []


def test_a_text_without_such_a_path_stays_shareable(suite: Suite) -> None:
    found = suite.translate("true\n", suite.sources(send=False), {"notes": bytes(suite.tool) + b"\n" * 5000})
    assert [*found.replaced] == ["job.sh"]
    assert "notes" in found.digests


def test_a_way_through_a_parent_directory_exists_on_the_system(suite: Suite) -> None:
    (suite.checks / "sub").mkdir()
    found = suite.translate(f"bash {suite.checks}/sub/../helper/tool.sh\n", suite.sources())
    assert f"{suite.remote}/sub/../helper/tool.sh" in found.replaced["job.sh"].decode()
    [files] = found.sources
    assert sorted(files.entries) == ["helper/tool.sh", "sub"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("id_rsa", "its name suggests a secret"),
        (".netrc", "hidden files may hold secrets"),
        ("mysite.py", "it belongs to the settings"),
        ("../neighbour.txt", "it is outside"),
        ("large.bin", "exceed"),
        ("many", "more than 3 entries"),
    ],
)
def test_what_may_not_go_is_named_with_the_reason(
    suite: Suite, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, path: str, reason: str
) -> None:
    monkeypatch.setattr(local_sources, "MAX_SIZE", 10_000_000)
    monkeypatch.setattr(local_sources, "MAX_ENTRIES", 3)
    for name in ("id_rsa", ".netrc", "mysite.py", "../neighbour.txt"):
        (suite.checks / name).write_text("x")
    (suite.checks / "many").mkdir()
    for number in range(4):
        (suite.checks / "many" / str(number)).write_text("x")
    with (suite.checks / "large.bin").open("wb") as file:
        file.truncate(20_000_000)
    script = f"cat {suite.checks}/{path}\n"
    assert suite.script(script, suite.sources(private=[str(suite.checks / "mysite.py")])) == script
    [warning] = warnings(caplog)
    assert reason in warning
    assert "map it in 'path_map'" in warning


def test_secrets_in_a_named_directory_stay_and_are_named(
    suite: Suite, caplog: pytest.LogCaptureFixture
) -> None:
    (suite.checks / "helper" / "server.key").write_text("x")
    (suite.checks / "helper" / ".git").mkdir()
    (suite.checks / "helper" / "loop").symlink_to(suite.checks)
    found = suite.translate(f"ls {suite.checks}/helper\n", suite.sources())
    [files] = found.sources
    assert sorted(files.entries) == ["helper", "helper/tool.sh"]
    [warning] = warnings(caplog)
    assert "helper/server.key" in warning
    assert "helper/loop" in warning


def test_a_directory_with_the_stage_directories_stays(suite: Suite, caplog: pytest.LogCaptureFixture) -> None:
    sources = LocalSources(send=True, elsewhere=(str(suite.checks / "stage"),))
    sources.add([str(suite.checks)])
    assert suite.script(f"ls {suite.checks}\n", sources) == f"ls {suite.checks}\n"
    assert "it contains" in warnings(caplog)[0]


@pytest.mark.parametrize("directory", ["/", "/usr", "/home"])
def test_a_directory_that_is_not_the_tests_own_is_ignored(directory: str) -> None:
    sources = LocalSources()
    sources.add([directory])
    assert sources.roots == ()


def test_naming_the_home_directory_alone_means_nothing(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(suite.checks))
    script = f"cd {suite.checks}; ls {suite.checks}/$USER\n"
    assert suite.script(script, suite.sources(send=False)) == script
    assert warnings(caplog) == []


def test_both_spellings_of_a_linked_directory_are_found(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(suite.checks)
    sources = LocalSources(send=True)
    sources.add([str(tmp_path / "link")])
    script = suite.script(f"bash {tmp_path}/link/helper/tool.sh {suite.tool}\n", sources)
    assert str(tmp_path) not in script
