"""An object store that speaks the part of S3 that transfers need: presigned URLs.

Parts are PUT, a POST puts them together, a GET fetches the object; a POST of a form with its policy
stores one in a single request. Objects lie in files of a private directory, next to
the root that clients see.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

PUBLIC_PREFIX = "/storage"
PRIVATE_PREFIX = "/__storage"
"""For the sandbox's own transfer jobs: neither counted nor disturbed."""
PREFIXES = (PUBLIC_PREFIX + "/", PRIVATE_PREFIX + "/")
METHODS = ("GET", "PUT", "POST")
_ALGORITHM = "SANDBOX-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_WRITE_SIZE = 1024 * 1024
_UNSIGNED = 65_536
"""Bytes of a form that are read before its signature is checked."""
_PART = re.compile(r"<Part\b[^>]*>(.*?)</Part>", re.DOTALL)
_PART_NUMBER = re.compile(r"<PartNumber>\s*(\d+)\s*</PartNumber>")
_PART_ETAG = re.compile(r"<ETag>\s*(?:&quot;|\")?([0-9a-f]+)")

router = APIRouter(include_in_schema=False)


class StorageError(Exception):
    """The store refuses a request, in S3's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ObjectStore:
    """Objects below a directory, reached by signed URLs."""

    def __init__(self, directory: Path, *, lifetime: int) -> None:
        self._directory = directory
        self._lifetime = lifetime
        self._etags: dict[Path, str] = {}
        self._key = secrets.token_bytes(32)

    def presign(self, method: str, url_prefix: str, path: str, **query: str) -> str:
        """Return a URL that allows one method on one object.

        Args:
            method: GET, PUT or POST.
            url_prefix: the server's URL and `PUBLIC_PREFIX` or `PRIVATE_PREFIX`.
            path: bucket and key.
            query: `uploadId` and `partNumber`, where they belong to what is allowed.
        """
        parameters = {
            **query,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Date": datetime.now(timezone.utc).strftime(_DATE_FORMAT),
            "X-Amz-Expires": str(self._lifetime),
        }
        parameters["X-Amz-Signature"] = self._signature(method, path, parameters)
        return f"{url_prefix}/{quote(path)}?{urlencode(parameters)}"

    def check(self, method: str, path: str, query: dict[str, str]) -> None:
        """Check a request against the signature in its URL.

        Raises:
            StorageError: 403; the URL was made for something else, or has expired.
        """
        parameters = {k: v for k, v in query.items() if k != "X-Amz-Signature"}
        expected = self._signature(method, path, parameters)
        if not hmac.compare_digest(expected.encode(), query.get("X-Amz-Signature", "").encode()):
            raise StorageError(403, "SignatureDoesNotMatch", "The signature does not match.")
        signed = datetime.strptime(parameters["X-Amz-Date"], _DATE_FORMAT)
        age = time.time() - signed.replace(tzinfo=timezone.utc).timestamp()
        if age > int(parameters["X-Amz-Expires"]):
            raise StorageError(403, "AccessDenied", "Request has expired")

    def presign_form(self, bucket: str, key: str) -> dict[str, str]:
        """Return the fields of a form that allows to store one object; its file comes after them."""
        now = datetime.now(timezone.utc)
        policy = {
            "expiration": time.time() + self._lifetime,
            "conditions": [{"bucket": bucket}, {"key": key}],
        }
        encoded = base64.b64encode(json.dumps(policy).encode()).decode()
        return {
            "key": key,
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": f"sandbox/{now:%Y%m%d}/us-east-1/s3/aws4_request",
            "x-amz-date": now.strftime(_DATE_FORMAT),
            "policy": encoded,
            "x-amz-signature": self._policy_signature(encoded),
        }

    def check_form(self, bucket: str, fields: dict[str, str]) -> str:
        """Check a form against the policy in it, and return the object's path.

        Raises:
            StorageError: 403; the form was made for something else, or has expired.
        """
        policy, key = fields.get("policy", ""), fields.get("key", "")
        signature = fields.get("x-amz-signature", "")
        if not hmac.compare_digest(self._policy_signature(policy).encode(), signature.encode()):
            raise StorageError(403, "SignatureDoesNotMatch", "The signature does not match.")
        content = json.loads(base64.b64decode(policy))
        if time.time() > content["expiration"]:
            raise StorageError(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        if content["conditions"] != [{"bucket": bucket}, {"key": key}]:
            raise StorageError(403, "AccessDenied", "Invalid according to Policy: Policy Condition failed")
        return f"{bucket}/{key}"

    def _policy_signature(self, policy: str) -> str:
        return hmac.new(self._key, policy.encode(), hashlib.sha256).hexdigest()

    def _signature(self, method: str, path: str, parameters: dict[str, str]) -> str:
        text = "\n".join([method, path, urlencode(sorted(parameters.items()))])
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def new_upload(self) -> str:
        """Start a multipart upload and return its id."""
        upload_id = secrets.token_hex(16)
        self._upload(upload_id).mkdir(parents=True)
        return upload_id

    async def put_part(self, upload_id: str, number: int, request: Request) -> str:
        """Write a part from a request's body and return its ETag.

        A part that breaks off counts as never sent, and one that is sent again replaces the one before.

        Raises:
            StorageError: 404 or 400; no such upload, or the body is not all there.
        """
        digest = hashlib.md5(usedforsecurity=False)
        # A client that gave one request up may send the part again before this side has noticed.
        partial = self._upload(upload_id) / f"{number}-{secrets.token_hex(8)}.partial"

        def write(content: bytes) -> None:
            with partial.open("ab") as file:
                file.write(content)
            digest.update(content)

        pending = bytearray()
        try:
            async for chunk in request.stream():
                pending += chunk
                if len(pending) >= _WRITE_SIZE:
                    await asyncio.to_thread(write, bytes(pending))
                    pending.clear()
            await asyncio.to_thread(write, bytes(pending))
        except FileNotFoundError:
            raise _no_such_upload() from None
        except ClientDisconnect:
            partial.unlink(missing_ok=True)
            raise StorageError(400, "IncompleteBody", "The body ends before its announced length.") from None
        etag = digest.hexdigest()
        partial.rename(partial.with_name(f"{number}-{etag}"))
        return etag

    def complete(self, upload_id: str, path: str, parts: list[tuple[int, str]]) -> str:
        """Put an object together from its parts and return its ETag.

        Raises:
            StorageError: 404 or 400; no such upload, or not these parts.
        """
        upload = self._upload(upload_id)
        if not upload.is_dir():
            raise _no_such_upload()
        files = [upload / f"{number}-{etag}" for number, etag in parts]
        if not files or parts != sorted(parts) or not all(file.is_file() for file in files):
            raise StorageError(400, "InvalidPart", "One or more parts could not be found.")
        target = self._object(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        assembled = upload / "assembled"
        with assembled.open("wb") as whole:
            for file in files:
                with file.open("rb") as part:
                    shutil.copyfileobj(part, whole, _WRITE_SIZE)
        digest = hashlib.md5(b"".join(bytes.fromhex(etag) for _, etag in parts), usedforsecurity=False)
        etag = self._etags[target] = f"{digest.hexdigest()}-{len(parts)}"
        assembled.rename(target)
        # A part that was given up may still be on its way.
        shutil.rmtree(upload, ignore_errors=True)
        return etag

    def put(self, path: str, content: BinaryIO) -> str:
        """Store an object and return its ETag; one that is there is replaced at once."""
        target = self._object(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.md5(usedforsecurity=False)
        partial = target.with_name(f"{target.name}-{secrets.token_hex(8)}.partial")
        with partial.open("wb") as file:
            while chunk := content.read(_WRITE_SIZE):
                digest.update(chunk)
                file.write(chunk)
        etag = self._etags[target] = digest.hexdigest()
        partial.rename(target)
        return etag

    def remove(self, path: str) -> None:
        """Remove an object; one that isn't there is no error."""
        self._object(path).unlink(missing_ok=True)

    def find(self, path: str) -> tuple[Path, str]:
        """Return the file of an object, and its ETag.

        Raises:
            StorageError: 404; there is no such object (yet).
        """
        file = self._object(path)
        if not file.is_file():
            raise StorageError(404, "NoSuchKey", "The specified key does not exist.")
        return file, self._etags[file]

    def _upload(self, upload_id: str) -> Path:
        return self._directory / "uploads" / upload_id

    def _object(self, path: str) -> Path:
        return self._directory / "objects" / hashlib.sha256(path.encode()).hexdigest()


def _no_such_upload() -> StorageError:
    return StorageError(404, "NoSuchUpload", "The specified upload does not exist.")


@router.api_route(PUBLIC_PREFIX + "/{path:path}", methods=list(METHODS))
@router.api_route(PRIVATE_PREFIX + "/{path:path}", methods=list(METHODS))
async def serve(request: Request, path: str) -> Response:
    """Serve a presigned URL."""
    store: ObjectStore = request.app.state.gateway.store
    query = dict(request.query_params)
    try:
        if request.method == "POST" and _is_form(request):
            return await _stored_form(store, request, bucket=path)
        store.check(request.method, path, query)
        if request.method == "PUT":
            etag = await store.put_part(query["uploadId"], int(query["partNumber"]), request)
            return Response(headers={"ETag": f'"{etag}"'})
        if request.method == "POST":
            parts = _listed_parts((await request.body()).decode(errors="replace"))
            etag = await asyncio.to_thread(store.complete, query["uploadId"], path, parts)
            return _completed(path, etag)
        file, etag = store.find(path)
        return FileResponse(file, headers={"ETag": f'"{etag}"'}, media_type="binary/octet-stream")
    except StorageError as refused:
        return _xml(refused.status, "Error", {"Code": refused.code, "Message": str(refused)})


def _is_form(request: Request) -> bool:
    return request.headers.get("Content-Type", "").startswith("multipart/form-data")


async def _stored_form(store: ObjectStore, request: Request, *, bucket: str) -> Response:
    form = await _signed_form(store, request, bucket)
    try:
        path = store.check_form(bucket, _texts(form.multi_items()))
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise StorageError(400, "InvalidArgument", "POST requires exactly one file upload per request.")
        etag = await asyncio.to_thread(store.put, path, file.file)
    finally:
        await form.close()
    return Response(status_code=204, headers={"ETag": f'"{etag}"'})


async def _signed_form(store: ObjectStore, request: Request, bucket: str) -> FormData:
    """Parse a form; its policy comes first (as in S3), and its file is read only once that is checked.

    Raises:
        StorageError: 400 or 403; it is none, or not signed for this bucket.
    """

    async def checked() -> AsyncGenerator[bytes, None]:
        received, known = 0, False
        async for chunk in request.stream():
            yield chunk
            # The parser has read the chunk when it asks for the next one.
            received += len(chunk)
            if not known and received > _UNSIGNED:
                store.check_form(bucket, _texts(parser.items))
                known = True

    parser = MultiPartParser(request.headers, checked())
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise StorageError(400, "MalformedPOSTRequest", error.message) from None


def _texts(items: Iterable[tuple[str, UploadFile | str]]) -> dict[str, str]:
    return {name: value for name, value in items if isinstance(value, str)}


def _listed_parts(body: str) -> list[tuple[int, str]]:
    parts = []
    for part in _PART.findall(body):
        number, etag = _PART_NUMBER.search(part), _PART_ETAG.search(part)
        if number is None or etag is None:
            raise StorageError(400, "MalformedXML", "The XML you provided was not well-formed.")
        parts.append((int(number[1]), etag[1].strip()))
    return parts


def _completed(path: str, etag: str) -> Response:
    bucket, _, key = path.partition("/")
    content = {"Bucket": bucket, "Key": key, "ETag": f'"{etag}"'}
    return _xml(200, "CompleteMultipartUploadResult", content)


def _xml(status: int, element: str, content: dict[str, Any]) -> Response:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in content.items())
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<{element}>{inner}</{element}>'
    return Response(text, status, media_type="application/xml")
