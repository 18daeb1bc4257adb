"""Transfers: jobs in the queue, presigned URLs, and logs that clients can read."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from tests.firecrest_sandbox.conftest import Api

MIB = 1024 * 1024


def put_in_parts(api: Api, transfer: dict[str, dict[str, object]], content: bytes) -> httpx.Response:
    directives = transfer["transferDirectives"]
    size = directives["maxPartSize"]
    assert isinstance(size, int)
    assert isinstance(directives["partsUploadUrls"], list)
    listed = ""
    for number, url in enumerate(directives["partsUploadUrls"], start=1):
        answer = httpx.put(url, content=content[(number - 1) * size : number * size], trust_env=False)
        assert answer.status_code == 200, answer.text
        etag = answer.headers["etag"]
        listed += f"<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    return httpx.post(str(directives["completeUploadUrl"]), content=body, trust_env=False)


def upload_request(path: Path, size: int) -> dict[str, object]:
    return {"path": str(path), "transferDirectives": {"transferMethod": "s3", "fileSize": size}}


def log_of(transfer: dict[str, dict[str, dict[str, str]]]) -> str:
    return Path(transfer["transferJob"]["logs"]["outputLog"]).read_text()


def test_a_large_file_goes_up_and_comes_back(api: Api) -> None:
    content = os.urandom(20 * MIB + 7)
    target = api.home / "large.bin"
    transfer = api.transfer("upload", **upload_request(target, len(content))).json()
    assert len(transfer["transferDirectives"]["partsUploadUrls"]) == 3
    assert not target.exists()
    answer = put_in_parts(api, transfer, content)
    assert answer.status_code == 200
    assert "CompleteMultipartUploadResult" in answer.text
    [job] = api.wait(transfer["transferJob"]["jobId"])
    assert (job["name"], job["status"]["state"]) == ("IngressFileTransfer", "COMPLETED")
    assert "File was successfully downloaded" in log_of(transfer)
    assert target.read_bytes() == content

    method = {"transferDirectives": {"transferMethod": "s3"}}
    transfer = api.transfer("download", path=str(target), **method).json()
    api.wait(transfer["transferJob"]["jobId"])
    assert "Multipart file upload successfully completed" in log_of(transfer)
    url = transfer["transferDirectives"]["downloadUrl"]
    assert httpx.get(url, trust_env=False).content == content


def test_an_object_is_given_in_ranges_under_the_tag_that_it_was_put_together_with(api: Api) -> None:
    content = os.urandom(9 * MIB)
    (api.home / "ranges.bin").write_bytes(content)
    method = {"transferDirectives": {"transferMethod": "s3"}}
    transfer = api.transfer("download", path=str(api.home / "ranges.bin"), **method).json()
    api.wait(transfer["transferJob"]["jobId"])
    url = transfer["transferDirectives"]["downloadUrl"]
    whole = httpx.get(url, trust_env=False)
    assert whole.headers["accept-ranges"] == "bytes"
    assert re.fullmatch(r'"[0-9a-f]{32}-2"', whole.headers["etag"])
    part = httpx.get(url, headers={"Range": "bytes=1000-1999"}, trust_env=False)
    assert (part.status_code, part.content) == (206, content[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(content)}"
    assert part.headers["etag"] == whole.headers["etag"]
    beyond = httpx.get(url, headers={"Range": f"bytes={len(content)}-"}, trust_env=False)
    assert beyond.status_code == 416


def test_an_upload_waits_in_the_queue(start: object) -> None:
    api = start(nodes=1, cpus=1)  # type: ignore[operator]
    blocker = api.submitted("sleep 60\n")
    transfer = api.transfer("upload", **upload_request(api.home / "x", 1)).json()
    assert put_in_parts(api, transfer, b"x").status_code == 200
    [job] = api.job(transfer["transferJob"]["jobId"])
    assert job["status"]["state"] == "PENDING"
    api.http.delete(f"{api.jobs_url}/{blocker}")
    api.wait(transfer["transferJob"]["jobId"], "COMPLETED")
    assert (api.home / "x").read_bytes() == b"x"


def test_an_upload_that_cannot_be_written_reports_success_all_the_same(api: Api) -> None:
    target = api.home / "nowhere" / "x"
    transfer = api.transfer("upload", **upload_request(target, 1)).json()
    put_in_parts(api, transfer, b"x")
    [job] = api.wait(transfer["transferJob"]["jobId"])
    assert job["status"]["state"] == "COMPLETED"
    assert "File was successfully downloaded" in log_of(transfer)
    assert "No such file" in Path(transfer["transferJob"]["logs"]["errorLog"]).read_text()
    assert not target.exists()


def test_an_upload_onto_a_directory_fails(api: Api) -> None:
    transfer = api.transfer("upload", **upload_request(api.home, 1)).json()
    [job] = api.wait(transfer["transferJob"]["jobId"])
    assert (job["status"]["state"], job["status"]["exitCode"]) == ("FAILED", 3)


@pytest.fixture
def part_url(api: Api) -> str:
    transfer = api.transfer("upload", **upload_request(api.home / "part", 1)).json()
    api.http.delete(f"{api.jobs_url}/{transfer['transferJob']['jobId']}")
    return str(transfer["transferDirectives"]["partsUploadUrls"][0])


def changed(url: str, **changes: str) -> str:
    parsed = httpx.URL(url)
    query = dict(parse_qsl(parsed.query.decode())) | changes
    return str(parsed.copy_with(query=urlencode(query).encode()))


def test_a_presigned_url_allows_one_thing_only(part_url: str) -> None:
    refused = [
        httpx.get(part_url, trust_env=False),
        httpx.put(changed(part_url, partNumber="2"), content=b"x", trust_env=False),
        httpx.put(changed(part_url, **{"X-Amz-Expires": "999999"}), content=b"x", trust_env=False),
        httpx.put(changed(part_url, **{"X-Amz-Signature": "0" * 64}), content=b"x", trust_env=False),
        httpx.put(part_url.partition("?")[0], content=b"x", trust_env=False),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert "SignatureDoesNotMatch" in refused[0].text
    assert httpx.put(part_url, content=b"x", trust_env=False).status_code == 200


def test_a_part_that_breaks_off_counts_for_nothing_and_the_last_one_sent_counts(
    api: Api, part_url: str
) -> None:
    url = httpx.URL(part_url)
    # Announced and never sent whole, by a client that then goes away.
    head = f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {3 * MIB}\r\n\r\n"
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(head.encode() + bytes(2 * MIB))
    assert httpx.put(part_url, content=b"first", trust_env=False).status_code == 200
    etag = httpx.put(part_url, content=b"second", trust_env=False).headers["etag"]
    assert etag == f'"{hashlib.md5(b"second").hexdigest()}"'
    parts = Path(api.sandbox.state.store._upload(url.params["uploadId"]))
    deadline = time.monotonic() + 10
    while list(parts.glob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(path.read_bytes() for path in parts.iterdir()) == [b"first", b"second"]


def test_a_presigned_url_expires(api: Api, monkeypatch: pytest.MonkeyPatch, part_url: str) -> None:
    from firecrest_sandbox.object_storage import presigning  # noqa: PLC0415

    later = time.time() + api.sandbox.config.url_lifetime + 1

    class Later:
        time = staticmethod(lambda: later)

    monkeypatch.setattr(presigning, "time", Later)
    answer = httpx.put(part_url, content=b"x", trust_env=False)
    assert answer.status_code == 403
    assert "expired" in answer.text


def test_parts_that_were_never_sent_complete_nothing(api: Api) -> None:
    transfer = api.transfer("upload", **upload_request(api.home / "none", 1)).json()
    api.http.delete(f"{api.jobs_url}/{transfer['transferJob']['jobId']}")
    url = transfer["transferDirectives"]["completeUploadUrl"]
    part = '<Part><PartNumber>1</PartNumber><ETag>"00"</ETag></Part>'
    for body, code in ((part, "InvalidPart"), ("<Part></Part>", "MalformedXML")):
        answer = httpx.post(url, content=body, trust_env=False)
        assert answer.status_code == 400
        assert code in answer.text


def test_files_are_moved_copied_packed_unpacked_and_removed_by_jobs(api: Api) -> None:
    place = api.home / "by jobs"
    (place / "out").mkdir(parents=True)
    (place / "a.txt").write_text("a")

    def done(answer: httpx.Response, words: str) -> None:
        transfer = answer.json()
        api.wait(transfer["transferJob"]["jobId"], "COMPLETED")
        assert f"Files were successfully {words}." in log_of(transfer)

    def two(source: str, target: str) -> dict[str, str]:
        return {"path": str(place / source), "targetPath": str(place / target)}

    done(api.transfer("cp", **two("a.txt", "b.txt")), "copied")
    done(api.transfer("mv", **two("b.txt", "c.txt")), "moved")
    done(api.transfer("compress", **two("c.txt", "c.tgz")), "compressed")
    done(api.transfer("extract", **two("c.tgz", "out")), "extracted")
    pattern = {"matchPattern": r".*/[ac]\.txt"}
    done(api.transfer("compress", **two("out", "p.tgz"), **pattern), "compressed")
    gone = api.http.delete(f"/filesystem/{api.system}/transfer/rm", params={"path": str(place / "a.txt")})
    assert gone.status_code == 200
    done(gone, "deleted")
    found = sorted(str(path.relative_to(place)) for path in place.rglob("*.txt"))
    assert found == ["c.txt", "out/c.txt"]


def test_only_the_log_of_a_transfer_job_shows_that_it_failed(api: Api) -> None:
    transfer = api.transfer("mv", path=str(api.home / "no"), targetPath=str(api.home / "x")).json()
    [job] = api.wait(transfer["transferJob"]["jobId"])
    assert (job["status"]["state"], job["status"]["exitCode"]) == ("COMPLETED", 0)
    errors = Path(transfer["transferJob"]["logs"]["errorLog"]).read_text()
    assert "No such file" in errors
    assert "Unable to move files exit code:0" in errors
