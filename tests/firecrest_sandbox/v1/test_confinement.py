"""Whatever a client of v1 asks for, nothing outside the sandbox's root is changed or shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firecrest_sandbox.test_confinement import ANY_PATH, ARCHIVES, SECRET, Place, Step, made_place
from tests.firecrest_sandbox.v1.conftest import V1
from tests.fuzzing import examples

Ask = Callable[[V1, Step], httpx.Response]


def looked_at(name: str) -> Ask:
    def ask(v1: V1, step: Step) -> httpx.Response:
        flags = {"followLinks": step.dereference, "dereference": step.dereference}
        path = {"sourcePath" if name == "download" else "targetPath": step.path}
        flags |= {"recursive": True, "showhidden": True}
        return v1.get(f"/utilities/{name}", **path, **flags)

    return ask


def sent(v1: V1, method: str, path: str, form: Mapping[str, str]) -> httpx.Response:
    """Ask for an operation, and wait for its job if it is one."""
    answer = v1.http.request(method, path, data=dict(form))
    if answer.status_code == 201 and "task_id" in answer.text:
        task = v1.ended(answer)
        if task["status"] == "200":
            v1.until(task["data"]["jobid"], "COMPLETED", "FAILED")
    return answer


def posted(path: str, method: str = "POST", **more: str) -> Ask:
    def ask(v1: V1, step: Step) -> httpx.Response:
        two = {"sourcePath": step.path, "targetPath": step.other}
        return sent(v1, method, path, {**two, "dereference": str(step.dereference), **more})

    return ask


def at_one_path(path: str, method: str = "POST", **more: str) -> Ask:
    def ask(v1: V1, step: Step) -> httpx.Response:
        return sent(v1, method, path, {"targetPath": step.path, "linkPath": step.other, **more})

    return ask


def uploaded(v1: V1, step: Step) -> httpx.Response:
    files = {"file": (step.other or "x", b"new")}
    return v1.http.post("/utilities/upload", data={"targetPath": step.path}, files=files)


def uploaded_by_storage(v1: V1, step: Step) -> httpx.Response:
    form = {"targetPath": step.path, "sourcePath": step.other}
    answer = v1.post("/storage/xfer-external/upload", **form)
    if answer.status_code == 201:
        task = v1.reached(answer.json()["task_id"], "111")
        v1.put_into_storage(task["data"]["msg"], b"new")
        v1.reached(task["task_id"], "114", "115")
    return answer


def downloaded_by_storage(v1: V1, step: Step) -> httpx.Response:
    answer = v1.post("/storage/xfer-external/download", sourcePath=step.path)
    if answer.status_code == 201:
        task = v1.ended(answer)
        if task["status"] == "117":
            assert SECRET not in v1.http.get(task["data"]["url"]).content
    return answer


def submitted_from(v1: V1, step: Step) -> httpx.Response:
    """Submit what is no script; a refusal that showed its text would show what lies outside."""
    answer = v1.post("/compute/jobs/path", targetPath=step.path)
    if answer.status_code == 201:
        assert SECRET.decode() not in str(v1.ended(answer))
    return answer


QUICK: Mapping[str, Ask] = {
    **{
        name: looked_at(name)
        for name in ("ls", "stat", "head", "tail", "view", "checksum", "file", "download")
    },
    "mkdir": at_one_path("/utilities/mkdir", p="yes"),
    "symlink": at_one_path("/utilities/symlink"),
    "chmod": at_one_path("/utilities/chmod", "PUT", mode="0700"),
    "rm": at_one_path("/utilities/rm", "DELETE"),
    "rename": posted("/utilities/rename", "PUT"),
    "copy": posted("/utilities/copy"),
    "compress": posted("/utilities/compress"),
    "extract": posted("/utilities/extract", type=".gz"),
    "upload": uploaded,
    "submit": submitted_from,
}
SLOW: Mapping[str, Ask] = {
    **{name: posted(f"/storage/xfer-internal/{name}") for name in ("cp", "mv", "rsync", "compress")},
    "extract": posted("/storage/xfer-internal/extract", type=".gz"),
    "rm": at_one_path("/storage/xfer-internal/rm"),
    "upload": uploaded_by_storage,
    "download": downloaded_by_storage,
}


def steps(endpoints: Mapping[str, object]) -> st.SearchStrategy[list[Step]]:
    paths = st.one_of(ANY_PATH, ARCHIVES)
    one = st.builds(Step, st.sampled_from(sorted(endpoints)), paths, ANY_PATH, st.booleans())
    return st.lists(one, min_size=1, max_size=5)


def carry_out(v1: V1, place: Place, endpoints: Mapping[str, Ask], step: Step) -> None:
    def named(path: str) -> str:
        marks = {"@": str(place.top), "!": str(place.outside), "^": v1.sandbox.root.name}
        for mark, text in marks.items():
            path = path.replace(mark, text)
        return path

    real = Step(step.endpoint, named(step.path), named(step.other), step.dereference)
    answer = endpoints[step.endpoint](v1, real)
    assert answer.status_code < 500, answer.text
    place.check(v1.sandbox.root, answer)


@given(steps(QUICK))
@examples(15)
def test_nothing_outside_is_touched_by_operations(v1: V1, asked: list[Step]) -> None:
    with made_place(v1.api) as place:
        for step in asked:
            carry_out(v1, place, QUICK, step)


@given(steps(SLOW))
@examples(6)
def test_nothing_outside_is_touched_by_jobs_and_transfers(v1: V1, asked: list[Step]) -> None:
    with made_place(v1.api) as place:
        for step in asked:
            carry_out(v1, place, SLOW, step)


@pytest.mark.parametrize(
    ("endpoints", "step"),
    [
        (SLOW, Step("upload", "@/e", ".", dereference=False)),
        (QUICK, Step("ls", "@/e", "", dereference=True)),
        (QUICK, Step("compress", "@/back", "@/new", dereference=True)),
        (QUICK, Step("compress", "@/d", "@/new", dereference=True)),
        (QUICK, Step("symlink", "@/file", "@/out", dereference=False)),
        # `cp` writes through the links that it finds in its way.
        (QUICK, Step("copy", "@/file", "@/e/deep", dereference=False)),
        (QUICK, Step("copy", "@/file", "@/d/new", dereference=False)),
        (QUICK, Step("rename", "@/file", "@/out", dereference=False)),
        (QUICK, Step("upload", "@/d", "victim", dereference=False)),
        (QUICK, Step("submit", "@/d/victim", "", dereference=False)),
        (QUICK, Step("extract", "@/links.tgz", "@", dereference=False)),
        (QUICK, Step("extract", "@/through.tgz", "@", dereference=False)),
        (QUICK, Step("rm", "@/up/^", "", dereference=False)),
        (SLOW, Step("cp", "@/file", "@/e/deep", dereference=False)),
        (SLOW, Step("rsync", "@/file", "@/out", dereference=False)),
        (SLOW, Step("rsync", "@/file", "@/e/deep", dereference=False)),
        (SLOW, Step("extract", "@/dots.tgz", "@/d", dereference=False)),
        (SLOW, Step("rm", "@/../..", "", dereference=False)),
        (SLOW, Step("upload", "@/d", "victim", dereference=False)),
        (SLOW, Step("upload", "@/d/new", "x", dereference=False)),
        (SLOW, Step("download", "@/d/victim", "", dereference=False)),
    ],
    ids=lambda value: f"{value.endpoint} {value.path} {value.other}" if isinstance(value, Step) else "",
)
def test_known_ways_out_are_closed(v1: V1, endpoints: Mapping[str, Ask], step: Step) -> None:
    with made_place(v1.api) as place:
        carry_out(v1, place, endpoints, step)


def test_the_end_of_a_jobs_output_is_shown_only_below_the_root(v1: V1, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    directives = "#SBATCH --open-mode=append\n#SBATCH -o link-%j\n"
    job_id = v1.submitted(
        f"{directives}rm link-*; ln -s {tmp_path}/secret link-$SLURM_JOB_ID; sleep 60\n", "link.sh"
    )
    while not (v1.home / f"link-{job_id}").is_symlink():
        v1.until(job_id, "RUNNING")
    task = v1.ended(v1.get("/compute/jobs", jobs=job_id))
    assert task["data"]["0"]["job_data_out"] == ""
    v1.ended(v1.delete(f"/compute/jobs/{job_id}"))


ROUTES = [
    ("GET", "/status/parameters"),
    ("GET", "/status/services/compute"),
    ("GET", "/status/systems/sandbox"),
    ("GET", "/status/filesystems"),
    ("GET", "/reservations"),
    *(("GET", f"/utilities/{name}") for name in ("ls", "stat", "head", "tail", "view", "checksum", "file")),
    *(("GET", f"/utilities/{name}") for name in ("download", "whoami")),
    *(
        ("POST", f"/utilities/{name}")
        for name in ("mkdir", "symlink", "copy", "upload", "compress", "extract")
    ),
    *(("PUT", f"/utilities/{name}") for name in ("chmod", "chown", "rename")),
    ("DELETE", "/utilities/rm"),
    ("POST", "/compute/jobs/path"),
    ("POST", "/compute/jobs/upload"),
    ("DELETE", "/compute/jobs/1"),
    *(
        ("GET", f"/compute/{name}")
        for name in ("jobs", "jobs/1", "acct", "nodes", "partitions", "reservations")
    ),
    *(("POST", f"/storage/xfer-external/{name}") for name in ("upload", "download", "invalidate")),
    *(
        ("POST", f"/storage/xfer-internal/{name}")
        for name in ("cp", "mv", "rsync", "rm", "compress", "extract")
    ),
    ("GET", "/tasks"),
    ("GET", "/tasks/1"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_a_token(v1: V1, method: str, path: str) -> None:
    for header in ("", "Bearer nonsense"):
        answer = v1.http.request(method, path, headers={"Authorization": header})
        assert answer.status_code == 401
        assert set(answer.json()) == {"description"}
    with_key = {"Authorization": "", "X-API-Key": "nonsense"}
    assert v1.http.request(method, path, headers=with_key).status_code == 401


def test_the_api_key_does_instead_of_a_token(v1: V1) -> None:
    key = v1.sandbox.config.api_key.get_secret_value()
    answer = v1.http.get("/utilities/whoami", headers={"Authorization": "", "X-API-Key": key})
    assert answer.json()["output"] == v1.sandbox.state.user.name
