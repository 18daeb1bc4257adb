"""Presigned URLs and forms: what they allow, and until when."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import datetime, timezone
from urllib.parse import quote, urlencode

from firecrest_sandbox.object_storage.errors import StorageError

_ALGORITHM = "SANDBOX-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


class Presigner:
    """Sign URLs and forms with a random key, and check them.

    Args:
        lifetime: seconds after which a URL or form expires.
    """

    def __init__(self, *, lifetime: int) -> None:
        self._lifetime = lifetime
        self._key = secrets.token_bytes(32)

    def presign(self, method: str, url_prefix: str, path: str, **query: str) -> str:
        """Return a URL that allows one method on one object.

        Args:
            method: GET, PUT or POST.
            url_prefix: the server's URL followed by `PUBLIC_PREFIX` or `PRIVATE_PREFIX`.
            path: bucket and key.
            query: `uploadId` and `partNumber` of a multipart upload.
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
            StorageError: 403; the URL allows another request, or has expired.
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
        """Return the fields of a form that allows storing one object; the file follows them."""
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
        """Check a form against its signed policy, and return the object's path.

        Raises:
            StorageError: 403; the form allows another object, or has expired.
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
