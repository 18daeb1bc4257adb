"""Large files by way of an object store, in a few MiB of memory."""

from __future__ import annotations

from pathlib import Path

import httpx

from reframe_firecrest.gateway.http import error_translation, operations
from reframe_firecrest.gateway.http.limits import Limits, deadline
from reframe_firecrest.gateway.http.policy import RetryPolicy
from reframe_firecrest.gateway.object_storage.multipart_upload import MultipartUpload
from reframe_firecrest.gateway.object_storage.ranged_download import RangedDownload
from reframe_firecrest.gateway.object_storage.storage_requests import StorageClient
from reframe_firecrest.gateway.object_storage.upload_targets import UploadForm, UploadUrls
from reframe_firecrest.gateway.protocol import Progress


class ObjectStorage:
    """Sends files to object stores and fetches them from there.

    Args:
        http: makes the requests; it must add no credentials of the gateway's.
        retry_policy: how long failures are ridden out.
        where: the gateway and system, as the user knows them.
        limits: the usual ones.
    """

    def __init__(
        self, http: httpx.AsyncClient, retry_policy: RetryPolicy, where: str, limits: Limits | None = None
    ) -> None:
        self._store = StorageClient(http, retry_policy, where, limits or Limits())
        self._sending = MultipartUpload(self._store)
        self._fetching = RangedDownload(self._store)

    async def put(self, local: Path, size: int, urls: UploadUrls, progress: Progress | None = None) -> None:
        """Send a file of `size` bytes in parts and have them put together.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        await self._sending.in_parts(local, size, urls, progress)

    async def put_form(
        self, local: Path, size: int, form: UploadForm, progress: Progress | None = None
    ) -> None:
        """Send a file of `size` bytes in one piece, behind the fields of a form that the gateway has made.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        await self._sending.as_form(local, size, form, progress)

    async def get(self, url: str, local: Path, listed: int, progress: Progress | None = None) -> None:
        """Fetch an object into a file, which appears under its name when all of it is there.

        Args:
            url: presigned.
            local: the file.
            listed: bytes that it was listed with; not much more is fetched.
            progress: told of its way.

        Raises:
            GatewayError: it failed for good, or for longer than patience lasts.
        """
        await self._fetching.get(url, local, listed, progress)

    async def reach(self, url: str) -> int:
        """Ask a storage for anything at all, once and without credentials; return its HTTP status.

        Raises:
            GatewayError: nothing answers there.
        """
        timeout = operations.REACH_STORAGE.timeout
        try:
            with deadline(timeout):
                answer = await self._store.http.head(url, timeout=timeout)
        except Exception as problem:  # noqa: BLE001 - translated
            raise error_translation.translate_error(
                operations.REACH_STORAGE, problem, self._store.where
            ) from None
        return answer.status_code
