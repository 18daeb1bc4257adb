"""Lower bounds of a run."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from bench.bounds import Bounds, measure_bounds


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "src"
    (place / "tree").mkdir(parents=True)
    (place / "tree" / "file").write_text("12345")
    return place


def stage_directory(stage: Path, name: str, made: bytes) -> None:
    place = stage / "bench" / "partition" / "builtin" / name
    (place / "tree").mkdir(parents=True)
    (place / "tree" / "file").write_text("12345")
    (place / "data-0").write_bytes(b"x" * 1000)
    (place / "rfm_job.sh").write_text("#!/bin/bash\n")
    (place / ".rfm_testcase.json").write_bytes(random.Random(name).randbytes(5000))
    (place / "rfm_job.out").write_bytes(made)


def test_inputs_are_of_one_test_and_scripts_of_all(tmp_path: Path, source: Path) -> None:
    stage = tmp_path / "stage"
    for number in range(3):
        stage_directory(stage, f"Bench_{number}", b"")
    bounds = measure_bounds(stage, source, tmp_path, pack=False)
    assert bounds == Bounds(inputs=1005, scripts=36, packed=None)


def test_only_what_jobs_made_is_packed_and_all_of_it_together(tmp_path: Path, source: Path) -> None:
    stage = tmp_path / "stage"
    made = random.Random(0).randbytes(3000)
    stage_directory(stage, "Bench_0", made)
    one = measure_bounds(stage, source, tmp_path, pack=True).packed
    assert one is not None
    assert len(gzip.compress(made)) < one < 3500
    stage_directory(stage, "Bench_1", made)
    two = measure_bounds(stage, source, tmp_path, pack=True).packed
    assert two is not None
    assert two < one + 500
    assert not (tmp_path / "made.tgz").exists()


def test_a_run_that_staged_nothing_has_no_bounds(tmp_path: Path, source: Path) -> None:
    assert measure_bounds(tmp_path / "none", source, tmp_path, pack=True) == Bounds()
