"""Program of a transfer job, which copies a file between the file system and the object storage.

The program reads its orders as JSON from standard input. It may run on another node, so it needs only the
standard library. Clients search its output in the log for results.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

_DIRECT = build_opener(ProxyHandler({}))
_NO_SUCH_FILE = 34
_COMMUNICATION = 70
_IS_A_DIRECTORY = 3


def ingress(orders: dict[str, Any]) -> int:
    """Wait for an object and write it to a file.

    As with the real gateway (measured), the job succeeds even if the file cannot be written. Only the error
    log contains the failure.
    """
    target = Path(orders["path"])
    _log(f"Ingress File Transfer Job (id:{_job_id()})")
    if target.is_dir():
        print(f"targetPath must point to a file path: {target} is a directory.", file=sys.stderr)
        return _IS_A_DIRECTORY
    _log("Waiting till file to tranfer is available...")
    while True:
        try:
            answer = _DIRECT.open(orders["url"])
            break
        except HTTPError as error:
            if error.code != 404:
                raise
        time.sleep(orders["poll"])
    _log("File to transfer found in S3 bucket")
    _log(f"Downloading file to: {target} ...")
    size = 0
    with answer:
        try:
            with target.open("wb") as file:
                shutil.copyfileobj(answer, file)
                size = file.tell()
        except OSError as error:
            print(f"{target}: {error.strerror}", file=sys.stderr)
    _log(f"Received {size} bytes")
    _log(f"File was successfully downloaded (size: {size / 1024**2:.3f}MB)")
    return 0


def egress(orders: dict[str, Any]) -> int:
    """Upload a file to the object storage in parts."""
    source = Path(orders["path"])
    urls: list[str] = orders["part_urls"]
    _log(f"Upload File Job (id:{_job_id()})")
    print(f"Uploading file:{source} into {len(urls)} chunks")
    if not source.is_file():
        print("file_not_found", file=sys.stderr)
        return _NO_SUCH_FILE
    listed = []
    with source.open("rb") as file:
        for number, url in enumerate(urls, start=1):
            print(f"[INFO] Uploading part {number}...")
            part = file.read(orders["part_size"])
            with _DIRECT.open(_request(url, part, "PUT")) as answer:
                etag = answer.headers["ETag"]
            listed.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    print("[INFO] Parts upload completed.")
    print("[INFO] Signaling multipart upload completion")
    body = f"<CompleteMultipartUpload>{''.join(listed)}</CompleteMultipartUpload>"
    with _DIRECT.open(_request(orders["complete_url"], body.encode(), "POST")):
        print("[INFO] Multipart file upload successfully completed")
    return 0


def _request(url: str, body: bytes, method: str) -> Request:
    return Request(url, data=body, method=method)  # noqa: S310  the sandbox's own URL


def _log(text: str) -> None:
    print(time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime()), text)


def _job_id() -> str:
    return os.environ.get("SLURM_JOB_ID", "unknown")


def main() -> int:
    """Execute the orders on standard input and return the job's exit code."""
    orders = json.load(sys.stdin)
    try:
        return {"ingress": ingress, "egress": egress}[orders["direction"]](orders)
    except OSError as error:
        print(f"Transfer failed: {error}", file=sys.stderr)
        return _COMMUNICATION


if __name__ == "__main__":
    sys.exit(main())
