"""File operations: what they do, and that they stay below the root."""

from __future__ import annotations

import io
import os
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firecrest_sandbox.errors import PathError
from firecrest_sandbox.filesystem.archives import Compression
from firecrest_sandbox.filesystem.extraction import ExtractionError, extract
from firecrest_sandbox.filesystem.listing import parse
from firecrest_sandbox.filesystem.paths import confined
from tests.firecrest_sandbox.conftest import Api


@pytest.fixture
def place(api: Api, request: pytest.FixtureRequest) -> Path:
    directory: Path = api.home / request.node.name.translate(str.maketrans("[]/'", "____"))
    directory.mkdir()
    return directory


def names(answer: Any) -> list[str]:
    return sorted(entry["name"] for entry in answer.json()["output"])


def test_ls_shows_hidden_files_and_subdirectories_when_asked(api: Api, place: Path) -> None:
    (place / "d" / "e").mkdir(parents=True)
    (place / "d" / ".hidden").write_text("x")
    (place / "link").symlink_to(place / "d")
    path = {"path": str(place)}
    assert names(api.ops("GET", "ls", params=path)) == ["d", "link"]
    deep = api.ops("GET", "ls", params={**path, "recursive": True, "showHidden": True})
    assert names(deep) == ["d", "d/.hidden", "d/e", "link"]
    link = next(e for e in deep.json()["output"] if e["name"] == "link")
    assert (link["type"], link["linkTarget"]) == ("l", str(place / "d"))
    followed = api.ops("GET", "ls", params={**path, "dereference": True}).json()["output"]
    assert {entry["type"] for entry in followed} == {"d"}
    numeric = api.ops("GET", "ls", params={**path, "numericUid": True}).json()["output"]
    assert numeric[0]["user"] == str(os.getuid())


def test_names_stay_c_quoted_but_for_quotes_and_backslashes() -> None:
    listing = '-rw-r--r-- 1 u g 5 2026-01-02T03:04:05 "a\\tb\\303\\274 \\"q\\" \\\\"\n'
    assert parse(listing)[0].name == 'a\\tb\\303\\274 "q" \\'


def test_a_file_goes_up_and_comes_back(api: Api, place: Path) -> None:
    content = os.urandom(100_000)
    assert api.upload("x.bin", content, place).status_code == 204
    path = {"path": str(place / "x.bin")}
    assert api.ops("GET", "download", params=path).content == content
    assert api.ops("GET", "stat", params=path).json()["output"]["size"] == len(content)
    assert api.ops("DELETE", "rm", params=path).status_code == 204
    assert api.ops("GET", "stat", params=path).status_code == 404


def test_direct_transfers_have_the_real_limits(api: Api, place: Path) -> None:
    fits = 5 * 1024 * 1024 * 3 // 4
    (place / "fits").write_bytes(bytes(fits))
    (place / "more").write_bytes(bytes(fits + 1))
    assert api.ops("GET", "download", params={"path": str(place / "fits")}).status_code == 200
    assert api.ops("GET", "download", params={"path": str(place / "more")}).status_code == 413


def test_an_operation_is_killed_when_its_time_is_up(api: Api, place: Path) -> None:
    os.mkfifo(place / "fifo")
    began = time.monotonic()
    answer = api.ops("GET", "checksum", params={"path": str(place / "fifo")})
    assert answer.status_code == 408
    assert answer.json()["message"] == "Command execution timeout limit exceeded."
    assert time.monotonic() - began < 30


def test_others_are_served_while_an_operation_hangs(start: Any) -> None:
    api = start(operation_timeout=30)
    fifo = api.home / "fifo"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(api.ops, "GET", "head", params={"path": str(fifo)})
        assert api.http.get("/status/systems").status_code == 200
        assert not hanging.done()
        fifo.write_text("at last\n")
        assert hanging.result().json()["output"]["content"] == "at last\n"


def test_compress_with_a_pattern_takes_regular_files_beside_the_source(api: Api, place: Path) -> None:
    (place / "stage" / "sub").mkdir(parents=True)
    (place / "stage" / "empty").mkdir()
    (place / "stage" / "a.txt").write_text("a")
    (place / "stage" / "sub" / "b.txt").write_text("b")
    (place / "stage" / "c.dat").write_text("c")
    (place / "beside.txt").write_text("d")
    (place / "stage" / "link.txt").symlink_to(place / "stage" / "a.txt")
    body = {
        "source_path": str(place / "stage"),
        "target_path": str(api.home / "matched.tgz"),
        "match_pattern": r"\./stage/.*\.\(txt\|log\)",
        "compression": "none",
    }
    assert api.ops("POST", "compress", json=body).status_code == 204
    # Asked for without compression, it is gzip all the same.
    with tarfile.open(api.home / "matched.tgz", "r:gz") as archive:
        assert sorted(archive.getnames()) == ["./stage/a.txt", "./stage/sub/b.txt"]


@pytest.mark.parametrize("compression", [one.value for one in Compression])
def test_an_archive_is_made_and_unpacked(api: Api, place: Path, compression: str) -> None:
    (place / "src" / "empty").mkdir(parents=True)
    script = place / "src" / "run.sh"
    script.write_text("x")
    script.chmod(0o755)
    (place / "out").mkdir()
    packed = {"sourcePath": str(place / "src"), "targetPath": str(place / "a.tar")}
    unpacked = {"sourcePath": str(place / "a.tar"), "targetPath": str(place / "out")}
    assert api.ops("POST", "compress", json={**packed, "compression": compression}).status_code == 204
    for how in (compression, "none"):
        answer = api.ops("POST", "extract", json={**unpacked, "compression": how})
        assert answer.status_code == 204, answer.text
    assert (place / "out" / "src" / "empty").is_dir()
    assert os.access(place / "out" / "src" / "run.sh", os.X_OK)


def test_extract_needs_a_directory_and_an_archive(api: Api, place: Path) -> None:
    (place / "no.tgz").write_text("nothing of the kind")
    body = {"sourcePath": str(place / "no.tgz"), "targetPath": str(place)}
    assert api.ops("POST", "extract", json=body).status_code == 500
    body["targetPath"] = str(place / "nowhere")
    assert api.ops("POST", "extract", json=body).status_code == 404


OUTSIDE: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "ls", {}),
    ("GET", "stat", {}),
    ("GET", "head", {}),
    ("GET", "tail", {}),
    ("GET", "view", {}),
    ("GET", "checksum", {}),
    ("GET", "file", {}),
    ("GET", "download", {}),
    ("DELETE", "rm", {}),
]


@pytest.mark.parametrize(("method", "name", "params"), OUTSIDE)
def test_nothing_outside_the_root_is_touched(
    api: Api, tmp_path: Path, method: str, name: str, params: dict[str, str]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (api.home / "way-out").unlink(missing_ok=True)
    (api.home / "way-out").symlink_to(tmp_path)
    for path in (victim, f"{api.home}/../../../..{victim}", api.home / "way-out" / "victim"):
        answer = api.ops(method, name, params={"path": str(path), **params})
        assert answer.status_code == 400, answer.text
        assert "does not match any of the defined filesystem paths" in answer.json()["message"]
    assert victim.read_text() == "precious"


def test_targets_outside_the_root_are_refused(api: Api, tmp_path: Path) -> None:
    (api.home / "inside").write_text("x")
    inside, outside = str(api.home / "inside"), str(tmp_path / "new")
    for name, body in {
        "mkdir": {"path": outside},
        "symlink": {"path": str(tmp_path), "linkPath": str(api.home / "new")},
        "compress": {"path": inside, "targetPath": outside},
        "extract": {"path": inside, "targetPath": str(tmp_path)},
    }.items():
        assert api.ops("POST", name, json=body).status_code == 400, name
    for name in ("mv", "cp", "compress", "extract"):
        answer = api.transfer(name, path=inside, targetPath=outside)
        assert answer.status_code == 400, name
    assert api.upload("../../../../" + outside, b"x").status_code == 400
    assert not list(tmp_path.iterdir())


def test_links_that_lead_out_are_not_followed_into_an_archive(api: Api, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (api.home / "tree").mkdir(exist_ok=True)
    (api.home / "tree" / "out").symlink_to(tmp_path)
    body = {"path": str(api.home / "tree"), "targetPath": str(api.home / "t.tgz")}
    assert api.ops("POST", "compress", json={**body, "dereference": True}).status_code == 400
    assert api.ops("POST", "compress", json=body).status_code == 204


def test_the_root_itself_is_not_removed(api: Api) -> None:
    answer = api.ops("DELETE", "rm", params={"path": str(api.sandbox.root)})
    assert answer.status_code == 403
    assert api.home.is_dir()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o6777
    return info


def make_archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for one in members:
            one.size = 3 if one.isreg() else 0
            archive.addfile(one, io.BytesIO(b"new"))
    return path


@pytest.mark.parametrize(
    "members",
    [
        [member("../escaped")],
        [member("a/../../escaped")],
        [member("l", tarfile.SYMTYPE, "../.."), member("l/escaped")],
        [member("l", tarfile.SYMTYPE, "/")],
        [member("l", tarfile.LNKTYPE, "../../victim")],
        [member("l", tarfile.LNKTYPE, "missing")],
        [member("existing/escaped")],
        [member("chain", tarfile.SYMTYPE, "existing"), member("chain/escaped")],
        [member("fifo", tarfile.FIFOTYPE)],
        [member("device", tarfile.CHRTYPE)],
    ],
)
def test_no_member_of_an_archive_leads_out(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    root, target = tmp_path / "root", tmp_path / "root" / "target"
    target.mkdir(parents=True)
    (tmp_path / "victim").write_text("old")
    (target / "existing").symlink_to(tmp_path)
    archive = make_archive(tmp_path / "a.tar", *members)
    with pytest.raises(ExtractionError):
        extract(archive, target, mode="r:*", root=root)
    assert not (tmp_path / "escaped").exists()
    assert not (root / "escaped").exists()


def test_a_member_replaces_a_link_instead_of_writing_through_it(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "victim").write_text("old")
    (target / "f").symlink_to(tmp_path / "victim")
    archive = make_archive(tmp_path / "a.tar", member("/f"), member("d", tarfile.DIRTYPE))
    extract(archive, target, mode="r:*", root=target)
    assert (tmp_path / "victim").read_text() == "old"
    assert (target / "f").read_text() == "new"
    assert (target / "f").stat().st_mode & 0o7777 == 0o755


@given(st.text(alphabet="a./", max_size=12), st.booleans())
def test_a_confined_path_is_below_the_root(text: str, follow: bool) -> None:
    root = Path("/nowhere/root")
    try:
        path = confined(f"/nowhere/root/{text}", root, "system", follow=follow)
    except PathError:
        return
    assert (Path(path) == root) or root in Path(path).parents
    assert ".." not in Path(path).parts


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(PathError):
        confined("/nowhere/root/a\0b", Path("/nowhere/root"), "system")


def test_a_link_to_a_directory_with_a_slash_is_listed_as_the_directory(api: Api) -> None:
    place = api.home / "linked"
    (place / "directory").mkdir(parents=True)
    (place / "directory" / "inside").touch()
    (place / "link").symlink_to("directory")

    def names(path: str) -> list[str]:
        listed = api.ops("GET", "ls", params={"path": path}).json()["output"]
        return [entry["name"] for entry in listed]

    assert names(f"{place}/link") == [f"{place}/link"]
    assert names(f"{place}/link/") == names(f"{place}/link/.") == ["inside"]


def test_a_slash_behind_a_link_follows_it_and_never_out_of_the_root(api: Api, tmp_path: Path) -> None:
    (tmp_path / "outside").touch()
    link = api.home / "slashed-way-out"
    link.symlink_to(tmp_path)
    for method, name in (("GET", "ls"), ("GET", "stat"), ("DELETE", "rm")):
        assert api.ops(method, name, params={"path": f"{link}/"}).status_code == 400
    moved = api.transfer("mv", path=f"{link}/", targetPath=str(api.home / "moved"))
    assert moved.status_code == 400
    assert (tmp_path / "outside").exists()
    assert api.ops("DELETE", "rm", params={"path": str(link)}).status_code == 204


def test_the_root_is_not_removed_by_another_spelling(api: Api) -> None:
    for path in (f"{api.sandbox.root}/", f"{api.sandbox.root}/."):
        assert api.ops("DELETE", "rm", params={"path": path}).status_code == 403
    assert api.home.exists()


def test_an_owner_is_changed_and_unknown_ones_are_refused(api: Api) -> None:
    """There is no recording of `chown`; the answer is an entry of `ls`, as chmod's is."""
    file = api.home / "owned"
    file.touch()
    user = api.sandbox.state.user
    request = {"path": str(file), "owner": user.name, "group": user.group}
    answer = api.ops("PUT", "chown", json=request)
    assert answer.status_code == 200
    entry = answer.json()["output"]
    assert (entry["name"], entry["user"], entry["group"]) == (str(file), user.name, user.group)
    refused = api.ops("PUT", "chown", json={**request, "owner": "no-such-user"})
    assert refused.status_code == 400
    assert "invalid user" in refused.json()["message"]
