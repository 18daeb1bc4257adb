"""Files of any size are translated; those that can't be are named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from reframe_firecrest.staging import inspection
from reframe_firecrest.staging.file_translation import Translated, Translator
from reframe_firecrest.staging.inspection import Needles, inspect, is_text
from reframe_firecrest.staging.manifest import scan
from reframe_firecrest.staging.pack import ArchivePart, pack
from reframe_firecrest.staging.paths import PathMap

REMOTE = "/scratch/me/run"


class Stage:
    """A stage directory, with what becomes of its files."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "stage" / "test"
        self.scratch = root / "scratch"
        self.directory.mkdir(parents=True)
        self.scratch.mkdir()
        self.paths = PathMap(str(root / "stage"), REMOTE)

    def translate(self, files: Mapping[str, bytes]) -> Translated:
        for name, content in files.items():
            (self.directory / name).write_bytes(content)
        translator = Translator(self.paths, str(self.directory), self.scratch)
        return translator.translate(scan(str(self.directory)), None, lambda text: text, 4096)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("size", [1_000, 100_000, 5_000_000])
def test_a_text_is_translated_whatever_its_size(stage: Stage, size: int) -> None:
    here = bytes(stage.directory)
    text = b"filling\n" * (size // 16) + b"cd " + here + b"/x\n" + b"filling\n" * (size // 16)
    found = stage.translate({"input": text})
    expected = text.replace(here, f"{REMOTE}/test".encode())
    got = found.replaced["input"] if "input" in found.replaced else found.files["input"].read_bytes()
    assert got == expected
    assert found.untranslated == []
    assert found.paths == {f"{stage.directory}/x"}


def test_what_is_large_is_sent_as_it_was_translated(stage: Stage, tmp_path: Path) -> None:
    text = b"x\n" * 100_000 + bytes(stage.directory) + b"\xe9\n"
    found = stage.translate({"input": text})
    entries = scan(str(stage.directory))
    load = ArchivePart("test", entries, found.replaced, translated=found.files)
    [sent] = pack([load], tmp_path / "a.tgz")
    assert sent["input"].size == found.files["input"].stat().st_size != len(text)
    assert found.files["input"].read_bytes().endswith(f"{REMOTE}/test".encode() + b"\xe9\n")


@pytest.mark.parametrize(
    "content",
    [
        b"\0%s",
        b"\x81\x01\xa5%s",
        b"/mnt%s",
        pytest.param(b"escaped", id="slashes escaped"),
        pytest.param(b"quoted", id="slashes as in URLs"),
    ],
)
def test_what_still_names_the_stage_prefix_is_named(stage: Stage, content: bytes) -> None:
    here = bytes(stage.directory)
    spelt = {b"escaped": here.replace(b"/", rb"\/"), b"quoted": here.replace(b"/", b"%2F")}
    file = spelt.get(content) or content.replace(b"%s", here)
    found = stage.translate({"odd": file, "plain": b"nothing in it", "fine": b"cd " + here})
    assert found.untranslated == ["odd"]
    assert found.replaced.get("odd", file) == file


def test_a_path_across_two_pieces_of_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "CHUNK", 7)
    file = tmp_path / "file"
    for before in range(20):
        content = b"y" * before + b"/home/me/stage" + b"z" * 9
        file.write_bytes(content)
        found = inspect(str(file), Needles.of(["/home/me/stage"]), digest=True)
        assert found.named
        assert found.digest == hashlib.sha256(content).hexdigest()
    file.write_bytes(b"y" * 50 + b"/home/me/stag")
    assert not inspect(str(file), Needles.of(["/home/me/stage"])).named


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"plain\n", True),
        ("\u00fcn\u00efcode \x01".encode(), True),
        (b"latin \xe9\n\x1b[0m", True),
        (b"latin \xe9 \x01", False),
        (b"zero \0", False),
        (b"cut \xc3", True),
        (b"cut \x01\xc3", False),
    ],
)
def test_what_a_text_is(tmp_path: Path, content: bytes, *, expected: bool) -> None:
    (tmp_path / "file").write_bytes(content)
    assert is_text(str(tmp_path / "file")) is expected
