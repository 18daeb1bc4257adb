from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from reframe_firecrest.model.remote_file import FileKind, RemoteFile
from reframe_firecrest.model.selection import Selection
from reframe_firecrest.staging.markers import UNKNOWN, Changes
from reframe_firecrest.staging.pack import BACKDATE, SentStat
from reframe_firecrest.staging.retrieval_plan import RemoteStat, make_plan, remember

NOW = int(time.time())


def stamp(seconds: float, zone: float = 0) -> str:
    """Print a time as `ls` does on a system whose zone is so many hours off UTC."""
    moment = datetime.fromtimestamp(seconds, timezone(timedelta(hours=zone)))
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def file(path: str, size: int = 1, mtime: str | None = None) -> RemoteFile:
    return RemoteFile(path, FileKind.FILE, size, stamp(NOW) if mtime is None else mtime)


def test_what_the_job_made_is_fetched() -> None:
    plan = make_plan([file("rfm_job.out"), file("data/result.csv")], {}, [])
    assert sorted(plan.files) == ["data/result.csv", "rfm_job.out"]


@pytest.mark.parametrize("zone", [-12, -7, 0, 1, 5.75, 14])
def test_what_was_sent_and_not_touched_stays_there_whatever_the_time_zone(zone: float) -> None:
    sent = SentStat(size=1, mtime=NOW - BACKDATE)
    plan = make_plan([file("input", mtime=stamp(sent.mtime, zone))], {"input": sent}, [])
    assert plan.files == {}


@pytest.mark.parametrize("zone", [-12, 0, 14])
def test_a_change_is_seen_even_if_the_size_is_the_same(zone: float) -> None:
    plan = make_plan([file("input", mtime=stamp(NOW, zone))], {"input": SentStat(1, NOW - BACKDATE)}, [])
    assert list(plan.files) == ["input"]


def test_a_change_of_size_is_seen_even_if_the_time_was_set_back() -> None:
    sent = SentStat(1, NOW - BACKDATE)
    plan = make_plan([file("input", 2, stamp(sent.mtime))], {"input": sent}, [])
    assert list(plan.files) == ["input"]


def test_stdout_and_stderr_are_fetched_always() -> None:
    known = {"rfm_job.out": SentStat(0, NOW - BACKDATE)}
    listing = [file("rfm_job.out", 0, stamp(NOW - BACKDATE))]
    assert list(make_plan(listing, known, ["rfm_job.out", "rfm_job.err"]).files) == ["rfm_job.out"]


def test_a_time_that_cannot_be_read_is_no_reason_to_lose_a_file() -> None:
    plan = make_plan([file("input", mtime="Jan 3 2024")], {"input": SentStat(1, NOW - BACKDATE)}, [])
    assert list(plan.files) == ["input"]


def test_directories_come_parents_first_and_links_with_their_targets() -> None:
    listing = [
        RemoteFile("d/e", FileKind.DIRECTORY, 4096, stamp(NOW)),
        RemoteFile("d", FileKind.DIRECTORY, 4096, stamp(NOW)),
        RemoteFile("latest", FileKind.LINK, 3, stamp(NOW), "d/e"),
        RemoteFile("pipe", FileKind.OTHER, 0, stamp(NOW)),
    ]
    plan = make_plan(listing, {}, [])
    assert plan.directories == ["d", "d/e"]
    assert plan.links == {"latest": "d/e"}
    assert plan.files == {}


def test_a_link_that_was_sent_is_not_made_again() -> None:
    link = RemoteFile("link", FileKind.LINK, 3, stamp(NOW), "nowhere")
    assert make_plan([link], {"link": SentStat(0, NOW - BACKDATE, is_file=False)}, []).links == {}


def test_the_size_covers_what_the_archive_needs_to_name_its_files() -> None:
    plan = make_plan([file(f"f{number}", 10) for number in range(100)], {}, [])
    assert plan.size >= 100 * (10 + 512)


class TestASecondLook:
    """A build and a run share a stage directory: the run's plan knows what the build's fetched."""

    def test_what_was_fetched_long_after_it_was_written_is_not_fetched_again(self) -> None:
        listing = [file("a.o", mtime=stamp(NOW - 60)), file("rfm_build.out", mtime=stamp(NOW))]
        known = remember(listing)
        assert known["a.o"] == RemoteStat(1, stamp(NOW - 60), settled=True)
        plan = make_plan([*listing, file("rfm_job.out", mtime=stamp(NOW + 9))], known, [])
        assert "a.o" not in plan.files
        assert "rfm_job.out" in plan.files

    def test_what_may_have_been_written_again_within_the_same_second_is_fetched_again(self) -> None:
        listing = [file("counter", mtime=stamp(NOW)), file("rfm_build.out", mtime=stamp(NOW))]
        assert "counter" in make_plan(listing, remember(listing), []).files

    def test_a_later_time_is_a_change(self) -> None:
        listing = [file("a.o", mtime=stamp(NOW - 60)), file("rfm_build.out", mtime=stamp(NOW))]
        touched = [file("a.o", mtime=stamp(NOW - 59)), listing[1]]
        assert "a.o" in make_plan(touched, remember(listing), []).files


def test_a_sent_file_put_in_the_place_of_another_is_seen() -> None:
    sent = {name: SentStat(1, NOW - BACKDATE - age) for name, age in {"a": 0, "b": 7, "c": 9}.items()}
    # The job did: cp -p a b
    times = {"a": "a", "b": "a", "c": "c"}
    listing = [file(name, mtime=stamp(sent[of].mtime, 2)) for name, of in times.items()]
    assert list(make_plan(listing, sent, []).files) == ["b"]


def test_times_of_the_other_half_of_the_year_are_no_change() -> None:
    sent = {
        "winter": SentStat(1, NOW - BACKDATE),
        "summer": SentStat(1, NOW - BACKDATE - 9),
        "w": SentStat(1, 5),
    }
    listing = [
        file("winter", mtime=stamp(sent["winter"].mtime, 1)),
        file("w", mtime=stamp(5, 1)),
        file("summer", mtime=stamp(sent["summer"].mtime, 2)),
    ]
    assert make_plan(listing, sent, []).files == {}


def test_what_a_job_removed_is_reported_unless_its_name_is_ambiguous() -> None:
    known = {name: SentStat(1, NOW - BACKDATE) for name in ("kept", "gone", "odd\\name")}
    assert make_plan([file("kept", mtime=stamp(NOW))], known, []).gone == ["gone"]
    assert make_plan([], known, []).gone == []


def test_a_file_that_became_a_link_is_reported() -> None:
    link = RemoteFile("result", FileKind.LINK, 4, stamp(NOW), "other")
    assert make_plan([link], {"result": SentStat(1, NOW - BACKDATE)}, []).links == {"result": "other"}


KNOWN = {
    "same": SentStat(4, NOW - BACKDATE),
    "other": SentStat(9, NOW - BACKDATE),
    "left": SentStat(4, NOW - BACKDATE),
}
ENTRIES = [file(path, sent.size, stamp(sent.mtime)) for path, sent in KNOWN.items()]


def test_a_hidden_change_is_fetched_where_both_sides_have_the_file() -> None:
    plan = make_plan(ENTRIES, KNOWN, [], hidden=Changes(sizes=frozenset({4})), alike={"same", "other"})
    assert list(plan.files) == ["same"]
    assert plan.suspects == {"same"}


def test_a_job_that_reports_nothing_has_all_fetched_that_is_selected() -> None:
    plan = make_plan(ENTRIES, KNOWN, [], Selection(exclude=("other",)), hidden=UNKNOWN, alike=set(KNOWN))
    assert sorted(plan.files) == ["left", "same"]
    assert plan.left == {}


def test_without_hidden_changes_nothing_is_fetched() -> None:
    assert make_plan(ENTRIES, KNOWN, [], alike=set(KNOWN)).files == {}
