"""Rules for faults: matching requests, kind of the fault, and number of times."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from firecrest_sandbox.fault_injection.counts import shape as shape_of

UPSTREAM_ERROR = (
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
)
"""Body of Envoy's 503 after a lost connection to the gateway. The request may have been executed."""
GIB = 1024**3
_MODIFYING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_TOKEN_SHAPE = "POST token"  # noqa: S105  a label


class FaultKind(str, Enum):
    """Effect of a rule on a matching request."""

    STATUS = "status"
    """The request is not executed; the answer has the rule's status."""
    STATUS_AFTER = "status-after"
    """The request is executed; the answer has the rule's status."""
    HANG = "hang"
    """The request is executed after the rule's seconds, even if the client has disconnected."""
    IGNORE = "ignore"
    """The request is not executed and not answered."""
    MUTE = "mute"
    """The request is executed and not answered."""
    CUT = "cut"
    """The request is not executed; the connection is dropped."""
    LOSE_REPLY = "lose-reply"
    """The request is executed; the connection is dropped instead of the answer."""
    TRUNCATE = "truncate"
    """The request is executed; the connection is dropped in the middle of the answer's body."""
    GARBLE = "garble"
    """The request is executed; the answer has half of its body, with a matching length."""
    PAGE = "page"
    """The request is executed; a page of HTML replaces a non-empty body."""
    PORTAL = "portal"
    """The request is not executed; the answer is a page of HTML with status 200."""
    OUTAGE = "outage"
    """Like `status`, for the rule's seconds after its first match."""
    ACTS_LATE = "acts-late"
    """The connection is dropped immediately; the request is executed after the rule's seconds.

    The rule matches only requests that modify something, and no token request.
    """
    ENDLESS = "endless"
    """The request is executed; the answer's body ends only when the client disconnects."""
    STALL = "stall"
    """FirecREST v1: the request is not executed; its task stays at 100."""
    STALL_AFTER = "stall-after"
    """FirecREST v1: the request is executed; its task stays at 100."""
    WARN = "warn"
    """FirecREST v1: sbatch accepts the job with a warning, so that the task ends with 400."""


class FaultRule(BaseModel):
    """One rule. The first matching rule applies to a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(
        default=None, description="regular expression, searched for in the request's path"
    )
    shape: str | None = Field(
        default=None, description="method and path as in the counts: `GET /compute/{system}/jobs`"
    )
    kind: FaultKind
    method: str | None = None
    status: int = Field(default=503, ge=400, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    times: int = Field(default=1, ge=1, description="number of requests that it affects")
    after: int = Field(default=0, ge=0, description="number of matching requests that it ignores first")
    share: float = Field(
        default=1.0, gt=0, le=1, description="fraction of the matching requests that it affects, at random"
    )
    seconds: float = Field(default=30.0, ge=0)
    message: str = Field(default="Injected fault.", description="message in FirecREST's JSON")
    text: str | None = Field(default=None, description="plain text of the answer instead of FirecREST's JSON")
    size: int = Field(
        default=2 * GIB, gt=0, description="bytes after which an endless body ends, as a safeguard"
    )

    @field_validator("path")
    @classmethod
    def _compiles(cls, path: str | None) -> str | None:
        try:
            re.compile(path or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return path

    @model_validator(mode="after")
    def _names_requests(self) -> FaultRule:
        if self.path is None and self.shape is None:
            raise ValueError("a rule needs a 'path' or a 'shape'")
        return self


def modifies(shape: str) -> bool:
    """Return whether requests of this shape change something on the system or in the object storage."""
    return shape.partition(" ")[0] in _MODIFYING and shape != _TOKEN_SHAPE


_RULES = TypeAdapter(tuple[FaultRule, ...])


def load_faults(path: Path) -> tuple[FaultRule, ...]:
    """Read a JSON list of rules.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not JSON, or not a list of rules (`pydantic.ValidationError`).
    """
    return _RULES.validate_python(json.loads(path.read_text(encoding="utf-8")))


class _ActiveRule:
    """A rule with the numbers of requests that it still ignores and affects."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.pattern = re.compile(rule.path or "")
        self.to_ignore = rule.after
        self.to_affect = rule.times
        self.ends: float | None = None

    def matches(self, method: str, path: str, generator: random.Random) -> bool:
        if not self._matches(method, path):
            return False
        if self.to_ignore > 0:
            self.to_ignore -= 1
            return False
        if self.rule.kind is FaultKind.OUTAGE:
            now = time.monotonic()
            if self.ends is None:
                self.ends = now + self.rule.seconds
            return now < self.ends
        if self.to_affect == 0 or generator.random() >= self.rule.share:
            return False
        self.to_affect -= 1
        return True

    def _matches(self, method: str, path: str) -> bool:
        if self.rule.method not in (None, method) or not self.pattern.search(path):
            return False
        shape = shape_of(method, path)
        if self.rule.kind is FaultKind.ACTS_LATE and not modifies(shape):
            return False
        return self.rule.shape in (None, shape)


class Faults:
    """The active rules, which any thread may change while the server runs.

    Args:
        rules: initial rules.
        seed: for rules with a share.
    """

    def __init__(self, rules: Iterable[FaultRule] = (), seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._active = [_ActiveRule(rule) for rule in rules]
        self._random = random.Random(seed)  # noqa: S311  not for secrets

    def add(self, *rules: FaultRule) -> None:
        """Append rules."""
        with self._lock:
            self._active += [_ActiveRule(rule) for rule in rules]

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._active.clear()

    def match(self, method: str, path: str) -> FaultRule | None:
        """Return the rule that applies to a request, and count its use."""
        with self._lock:
            hit = (active.rule for active in self._active if active.matches(method, path, self._random))
            return next(hit, None)
