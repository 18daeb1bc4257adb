"""Whatever a client asks for, nothing outside the sandbox's root is changed or shown."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firecrest_sandbox.conftest import Api
from tests.fuzzing import examples

SECRET = b"what-nobody-may-see"
UNLISTED = "a-name-that-nobody-may-see"


class Place:
    """A directory below the root, full of links that jobs have left, and what they point to."""

    def __init__(self, home: Path, outside: Path) -> None:
        # An earlier example may have removed it, as users may.
        home.mkdir(parents=True, exist_ok=True)
        self.top = Path(tempfile.mkdtemp(prefix="place-", dir=home))
        self.outside = outside
        shutil.rmtree(outside, ignore_errors=True)
        (outside / "deep").mkdir(parents=True)
        for name in ("victim", "file", UNLISTED, "deep/victim"):
            (outside / name).write_bytes(SECRET)
        for name in ("d", "e", "e/deep"):
            (self.top / name).mkdir()
        for name in ("file", "d/file", "e/file"):
            (self.top / name).write_text("mine")
        root = home.parent
        links: dict[str, Path | str] = {
            "out": outside,
            "d/out": outside,
            "d/victim": outside / "victim",
            "d/new": outside / "new",
            "d/in": "../e",
            "e/far": outside,
            "e/deep/file": outside / "victim",
            "back": self.top,
            "up": root.parent,
            "loop": "loop",
        }
        for name, target in links.items():
            (self.top / name).symlink_to(target)
        self.archive("links.tgz", [("d/l", str(outside)), ("d/l/new", None)])
        self.archive("through.tgz", [("out/new", None), ("d/in/far/new", None), ("d/victim", None)])
        self.archive("dots.tgz", [("../../../../../new", None), ("/new", None), (f"{outside}/new", None)])
        self.before = describe(outside)

    def archive(self, name: str, members: list[tuple[str, str | None]]) -> None:
        """Make an archive of links and, without a target, of files."""
        with tarfile.open(self.top / name, "w:gz") as tar:
            for path, target in members:
                info = tarfile.TarInfo(path)
                if target is not None:
                    info.type, info.linkname = tarfile.SYMTYPE, target
                info.size = 0 if target is not None else 3
                tar.addfile(info, io.BytesIO(b"new"))

    def check(self, root: Path, answer: httpx.Response) -> None:
        assert answer.status_code < 600
        message = answer.json().get("message", "") if answer.status_code >= 400 else ""
        assert not message.startswith("("), f"an exception was the answer: {message}"
        assert SECRET not in answer.content
        assert UNLISTED.encode() not in answer.content
        assert describe(self.outside) == self.before, "something outside the root has changed"
        assert root.is_dir()
        for path in self.top.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                if content[:2] == b"\x1f\x8b":
                    content = gzip.decompress(content)
                assert SECRET not in content, f"{path} holds what lies outside"


def describe(top: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path)] = (info.st_mode, info.st_nlink, info.st_uid, info.st_mtime_ns, content)
    return found


@contextmanager
def made_place(api: Api) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as directory:
        place = Place(api.home, Path(directory, "outside"))
        yield place
        shutil.rmtree(place.top, ignore_errors=True)


PARTS = st.sampled_from(
    ["d", "e", "file", "out", "victim", "new", "in", "far", "deep", "back", "up", "loop", "..", ".", ""]
)
# "@" stands for the place, "!" for what lies outside, "^" for the root's own name.
STARTS = st.sampled_from(
    ["@/", "@/", "@/", "@/", "@/", "/@/", "!/", "/!/", "@/../../..!/", "/", "", "@/up/^/"]
)
PATHS = st.builds(
    lambda start, parts: start + "/".join(parts), STARTS, st.lists(PARTS, min_size=1, max_size=3)
)
ODD = st.sampled_from(
    ["@/a\nb", "@/a\tb", "@/-rf", "@/caf\xe9", "@/a'b", '@/a"b', "@/a\\b", "@/a\0b", "@/~", "@/*"]
)
ANY_PATH = st.one_of(PATHS, PATHS, PATHS, ODD)


@dataclass(frozen=True)
class Step:
    """One request with a path, another, and whether links are followed where that can be chosen."""

    endpoint: str
    path: str
    other: str
    dereference: bool


def looked_at(name: str) -> Callable[[Api, Step], httpx.Response]:
    def ask(api: Api, step: Step) -> httpx.Response:
        flags = {"dereference": step.dereference, "recursive": True, "showHidden": True}
        return api.ops("GET", name, params={"path": step.path, **(flags if name in ("ls", "stat") else {})})

    return ask


def posted(name: str, method: str = "POST", **more: Any) -> Callable[[Api, Step], httpx.Response]:
    def ask(api: Api, step: Step) -> httpx.Response:
        two = {"linkPath": step.other, "targetPath": step.other}
        body = {"path": step.path, "dereference": step.dereference, **two, **more}
        return api.ops(method, name, json=body)

    return ask


def uploaded(api: Api, step: Step) -> httpx.Response:
    files = {"file": (step.other or "x", b"new")}
    return api.ops("POST", "upload", params={"path": step.path}, files=files)


def removed(api: Api, step: Step) -> httpx.Response:
    return api.ops("DELETE", "rm", params={"path": step.path})


QUICK: Mapping[str, Callable[[Api, Step], httpx.Response]] = {
    **{
        name: looked_at(name)
        for name in ("ls", "stat", "head", "tail", "view", "checksum", "file", "download")
    },
    "mkdir": posted("mkdir", parent=True),
    "symlink": posted("symlink"),
    "chmod": posted("chmod", "PUT", mode="0700"),
    "compress": posted("compress"),
    "compress some": posted("compress", matchPattern=r".*"),
    "extract": posted("extract"),
    "upload": uploaded,
    "rm": removed,
}


def moved(name: str, **more: Any) -> Callable[[Api, Step], httpx.Response]:
    def ask(api: Api, step: Step) -> httpx.Response:
        body = {"path": step.path, "targetPath": step.other, "dereference": step.dereference, **more}
        return api.transfer(name, **body)

    return ask


def uploaded_by_job(api: Api, step: Step) -> httpx.Response:
    directives = {"transferMethod": "s3", "fileSize": 3}
    opened = api.transfer("upload", path=step.path, transferDirectives=directives)
    if opened.status_code == 201:
        urls = opened.json()["transferDirectives"]
        etag = api.http.put(urls["partsUploadUrls"][0], content=b"new").headers["ETag"]
        part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        api.http.post(urls["completeUploadUrl"], content=f"<C>{part}</C>")
    return opened


def downloaded_by_job(api: Api, step: Step) -> httpx.Response:
    opened = api.transfer("download", path=step.path, transferDirectives={"transferMethod": "s3"})
    if opened.status_code == 201:
        api.wait(opened.json()["transferJob"]["jobId"])
        assert SECRET not in api.http.get(opened.json()["transferDirectives"]["downloadUrl"]).content
    return opened


def removed_by_job(api: Api, step: Step) -> httpx.Response:
    url = f"/filesystem/{api.system}/transfer/rm"
    return api.http.delete(url, params={"path": step.path})


BY_JOB: Mapping[str, Callable[[Api, Step], httpx.Response]] = {
    **{name: moved(name) for name in ("mv", "cp", "compress", "extract")},
    "compress some": moved("compress", matchPattern=r".*"),
    "upload": uploaded_by_job,
    "download": downloaded_by_job,
    "rm": removed_by_job,
}

ARCHIVES = st.sampled_from(["@/links.tgz", "@/through.tgz", "@/dots.tgz"])


def steps(endpoints: Mapping[str, object]) -> st.SearchStrategy[list[Step]]:
    return st.lists(
        st.builds(
            Step, st.sampled_from(sorted(endpoints)), st.one_of(ANY_PATH, ARCHIVES), ANY_PATH, st.booleans()
        ),
        min_size=1,
        max_size=5,
    )


def carry_out(
    api: Api, place: Place, endpoints: Mapping[str, Callable[[Api, Step], httpx.Response]], step: Step
) -> None:
    def named(path: str) -> str:
        marks = {"@": str(place.top), "!": str(place.outside), "^": api.sandbox.root.name}
        for mark, text in marks.items():
            path = path.replace(mark, text)
        return path

    real = Step(step.endpoint, named(step.path), named(step.other), step.dereference)
    answer = endpoints[step.endpoint](api, real)
    if answer.status_code in (200, 201) and "transferJob" in answer.text:
        api.wait(answer.json()["transferJob"]["jobId"])
    place.check(api.sandbox.root, answer)


@given(steps(QUICK))
@examples(15)
def test_nothing_outside_is_touched_by_operations(api: Api, asked: list[Step]) -> None:
    with made_place(api) as place:
        for step in asked:
            carry_out(api, place, QUICK, step)


@given(steps(BY_JOB))
@examples(6)
def test_nothing_outside_is_touched_by_jobs_of_the_gateway(api: Api, asked: list[Step]) -> None:
    with made_place(api) as place:
        for step in asked:
            carry_out(api, place, BY_JOB, step)


@pytest.mark.parametrize(
    ("endpoints", "step"),
    [
        # A link behind a link: what it points to is shown or packed if only the first is looked at.
        (QUICK, Step("ls", "@/e", "", dereference=True)),
        (QUICK, Step("ls", "@/e/deep", "", dereference=True)),
        (QUICK, Step("compress", "@/back", "@/new", dereference=True)),
        (QUICK, Step("compress", "@/d", "@/new", dereference=True)),
        # `ln` makes its link inside a directory, and `cp` writes through a file.
        (QUICK, Step("symlink", "@/file", "@/out", dereference=False)),
        (BY_JOB, Step("cp", "@/file", "@/e/deep", dereference=False)),
        (BY_JOB, Step("cp", "@/back", "@/new", dereference=True)),
        # Archives with a link and a file through it, and through a link that is there.
        (BY_JOB, Step("extract", "@/links.tgz", "@", dereference=False)),
        (BY_JOB, Step("extract", "@/through.tgz", "@", dereference=False)),
        (BY_JOB, Step("extract", "@/dots.tgz", "@/d", dereference=False)),
        # The root, by way of its parent.
        (QUICK, Step("rm", "@/up/^", "", dereference=False)),
        (BY_JOB, Step("rm", "@/up/^", "", dereference=False)),
        (BY_JOB, Step("rm", "@/../..", "", dereference=False)),
    ],
    ids=lambda value: f"{value.endpoint} {value.path}" if isinstance(value, Step) else "",
)
def test_known_ways_out_are_closed(
    api: Api, endpoints: Mapping[str, Callable[[Api, Step], httpx.Response]], step: Step
) -> None:
    with made_place(api) as place:
        carry_out(api, place, endpoints, step)


def test_links_out_that_an_operation_does_not_meet_are_not_in_its_way(api: Api) -> None:
    with made_place(api) as place:
        (place.top / "e" / "free").mkdir()
        followed = {"path": str(place.top), "dereference": True}
        assert api.ops("GET", "ls", params=followed).status_code == 400
        assert api.ops("GET", "ls", params={**followed, "path": str(place.top / "e/free")}).status_code == 200
        copied = api.transfer("cp", path=str(place.top / "file"), targetPath=str(place.top / "e"))
        assert copied.status_code == 201, copied.text
        api.wait(copied.json()["transferJob"]["jobId"])
        assert (place.top / "e" / "file").read_text() == "mine"


def test_every_route_wants_a_token(api: Api) -> None:
    schema = api.http.get("/openapi.json").json()
    routes = [(method, path) for path, methods in schema["paths"].items() for method in methods]
    for number, (method, path) in enumerate(routes):
        url = path.replace("{system_name}", api.system).replace("{job_id}", "1")
        headers = {"Authorization": "Bearer nonsense" if number % 2 else ""}
        answer = api.http.request(method, url, headers=headers, json={})
        assert answer.status_code == 401, f"{method} {url}"
    assert len(routes) > 25
