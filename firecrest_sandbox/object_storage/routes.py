"""The object storage's route: one for all presigned URLs and forms."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable
from typing import Any
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from firecrest_sandbox.object_storage import METHODS, PRIVATE_PREFIX, PUBLIC_PREFIX
from firecrest_sandbox.object_storage.errors import StorageError
from firecrest_sandbox.object_storage.store import ObjectStore

_UNSIGNED = 65_536
"""Bytes of a form that are read before its signature is checked."""
_PART = re.compile(r"<Part\b[^>]*>(.*?)</Part>", re.DOTALL)
_PART_NUMBER = re.compile(r"<PartNumber>\s*(\d+)\s*</PartNumber>")
_PART_ETAG = re.compile(r"<ETag>\s*(?:&quot;|\")?([0-9a-f]+)")

router = APIRouter(include_in_schema=False)


@router.api_route(PUBLIC_PREFIX + "/{path:path}", methods=list(METHODS))
@router.api_route(PRIVATE_PREFIX + "/{path:path}", methods=list(METHODS))
async def serve(request: Request, path: str) -> Response:
    """Serve a presigned URL."""
    store: ObjectStore = request.app.state.server.store
    query = dict(request.query_params)
    try:
        if request.method == "POST" and _is_form(request):
            return await _store_form(store, request, bucket=path)
        store.presigner.check(request.method, path, query)
        if request.method == "PUT":
            etag = await store.put_part(query["uploadId"], int(query["partNumber"]), request)
            return Response(headers={"ETag": f'"{etag}"'})
        if request.method == "POST":
            parts = _parse_parts((await request.body()).decode(errors="replace"))
            etag = await asyncio.to_thread(store.complete, query["uploadId"], path, parts)
            return _completion(path, etag)
        file, etag = store.find(path)
        return FileResponse(file, headers={"ETag": f'"{etag}"'}, media_type="binary/octet-stream")
    except StorageError as error:
        return _xml(error.status, "Error", {"Code": error.code, "Message": str(error)})


def _is_form(request: Request) -> bool:
    return request.headers.get("Content-Type", "").startswith("multipart/form-data")


async def _store_form(store: ObjectStore, request: Request, *, bucket: str) -> Response:
    form = await _parse_form(store, request, bucket)
    try:
        path = store.presigner.check_form(bucket, _texts(form.multi_items()))
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise StorageError(400, "InvalidArgument", "POST requires exactly one file upload per request.")
        etag = await asyncio.to_thread(store.put, path, file.file)
    finally:
        await form.close()
    return Response(status_code=204, headers={"ETag": f'"{etag}"'})


async def _parse_form(store: ObjectStore, request: Request, bucket: str) -> FormData:
    """Parse a form, and read its file only after checking the policy, which comes first as in S3.

    Raises:
        StorageError: 400 or 403; the body is no form, or the form is not signed for this bucket.
    """

    async def checked() -> AsyncGenerator[bytes, None]:
        received, is_checked = 0, False
        async for chunk in request.stream():
            yield chunk
            # The parser asks for a chunk after it has parsed the previous one.
            received += len(chunk)
            if not is_checked and received > _UNSIGNED:
                store.presigner.check_form(bucket, _texts(parser.items))
                is_checked = True

    parser = MultiPartParser(request.headers, checked())
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise StorageError(400, "MalformedPOSTRequest", error.message) from None


def _texts(items: Iterable[tuple[str, UploadFile | str]]) -> dict[str, str]:
    return {name: value for name, value in items if isinstance(value, str)}


def _parse_parts(body: str) -> list[tuple[int, str]]:
    parts = []
    for part in _PART.findall(body):
        number, etag = _PART_NUMBER.search(part), _PART_ETAG.search(part)
        if number is None or etag is None:
            raise StorageError(400, "MalformedXML", "The XML you provided was not well-formed.")
        parts.append((int(number[1]), etag[1].strip()))
    return parts


def _completion(path: str, etag: str) -> Response:
    bucket, _, key = path.partition("/")
    content = {"Bucket": bucket, "Key": key, "ETag": f'"{etag}"'}
    return _xml(200, "CompleteMultipartUploadResult", content)


def _xml(status: int, element: str, content: dict[str, Any]) -> Response:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in content.items())
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<{element}>{inner}</{element}>'
    return Response(text, status, media_type="application/xml")
