"""Transfer of large files to and from an object storage, in a few MiB of memory."""

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
    """Upload files to object storages and download them.

    Args:
        http: makes the requests; it must not add the gateway's credentials.
        retry_policy: for how long failures are retried.
        where: the gateway and system, as the user knows them.
        limits: of responses, unless others are set.
    """

    def __init__(
        self, http: httpx.AsyncClient, retry_policy: RetryPolicy, where: str, limits: Limits | None = None
    ) -> None:
        self._store = StorageClient(http, retry_policy, where, limits or Limits())
        self._upload = MultipartUpload(self._store)
        self._download = RangedDownload(self._store)

    async def put(self, local: Path, size: int, urls: UploadUrls, progress: Progress | None = None) -> None:
        """Upload a file of `size` bytes in parts.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        await self._upload.in_parts(local, size, urls, progress)

    async def put_form(
        self, local: Path, size: int, form: UploadForm, progress: Progress | None = None
    ) -> None:
        """Upload a file of `size` bytes in one piece, with a form of the gateway's.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        await self._upload.as_form(local, size, form, progress)

    async def get(self, url: str, local: Path, listed: int, progress: Progress | None = None) -> None:
        """Download an object into a file, which appears when it is complete.

        Args:
            url: presigned.
            local: the file.
            listed: bytes of the file in the listing; a download may not be much larger.
            progress: called for the file's bytes.

        Raises:
            GatewayError: it has failed for good, or for longer than the retry timeout.
        """
        await self._download.get(url, local, listed, progress)

    async def reach(self, url: str) -> int:
        """Send one request without credentials to a storage; return its HTTP status.

        Raises:
            GatewayError: the storage does not answer.
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
