"""Rules for faults: which request they hit, how, and how often."""

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
"""Body of Envoy's 503 after its connection to the gateway has broken, possibly with the request executed."""
GIB = 1024**3
_MODIFYING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_TOKEN_SHAPE = "POST token"  # noqa: S105  a label


class FaultKind(str, Enum):
    """What happens to a request that a rule hits."""

    STATUS = "status"
    """It is answered with the rule's status and never carried out."""
    STATUS_AFTER = "status-after"
    """It is carried out and answered with the rule's status all the same."""
    HANG = "hang"
    """It waits for the rule's seconds and is then carried out, even if nobody waits any more."""
    IGNORE = "ignore"
    """It is never carried out and never answered."""
    MUTE = "mute"
    """It is carried out and never answered."""
    CUT = "cut"
    """Its connection is dropped and it is never carried out."""
    LOSE_REPLY = "lose-reply"
    """It is carried out, and the connection dropped instead of the answer."""
    TRUNCATE = "truncate"
    """It is carried out, and the connection dropped in the middle of the answer's body."""
    GARBLE = "garble"
    """It is carried out, and half of the answer's body arrives as if it were all."""
    PAGE = "page"
    """It is carried out, and a page of HTML arrives instead of the answer's body, if it has one."""
    PORTAL = "portal"
    """It is never carried out; a page of HTML with status 200 arrives."""
    OUTAGE = "outage"
    """Like `status`, for the rule's seconds from its first hit on."""
    ACTS_LATE = "acts-late"
    """Its connection is dropped at once, and it is carried out after the rule's seconds.

    Only requests that modify something are hit; a request for a token is none of them.
    """
    ENDLESS = "endless"
    """It is carried out, and the answer's body goes on until the client hangs up."""
    STALL = "stall"
    """FirecREST v1: its task stays at 100 and is never carried out."""
    STALL_AFTER = "stall-after"
    """FirecREST v1: it is carried out and its task stays at 100 all the same."""
    WARN = "warn"
    """FirecREST v1: sbatch takes the job with a warning, so that the task ends with 400."""


class FaultRule(BaseModel):
    """One rule; the first that hits a request is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(
        default=None, description="regular expression, searched for in the request's path"
    )
    shape: str | None = Field(
        default=None, description="method and path as the counts name them: `GET /compute/{system}/jobs`"
    )
    kind: FaultKind
    method: str | None = None
    status: int = Field(default=503, ge=400, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    times: int = Field(default=1, ge=1, description="how many requests it hits")
    after: int = Field(default=0, ge=0, description="how many matching requests it lets pass first")
    share: float = Field(
        default=1.0, gt=0, le=1, description="of the matching requests, those that it hits, by chance"
    )
    seconds: float = Field(default=30.0, ge=0)
    message: str = Field(default="Injected fault.", description="of the gateway's own JSON")
    text: str | None = Field(
        default=None, description="plain text of the answer instead of the gateway's own JSON"
    )
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
        OSError: the file can't be read.
        ValueError: it isn't JSON, or not a list of rules (`pydantic.ValidationError`).
    """
    return _RULES.validate_python(json.loads(path.read_text(encoding="utf-8")))


class _Armed:
    """A rule and how much of it is left."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.pattern = re.compile(rule.path or "")
        self.to_pass = rule.after
        self.to_hit = rule.times
        self.ends: float | None = None

    def hits(self, method: str, path: str, chance: random.Random) -> bool:
        if not self._matches(method, path):
            return False
        if self.to_pass > 0:
            self.to_pass -= 1
            return False
        if self.rule.kind is FaultKind.OUTAGE:
            now = time.monotonic()
            if self.ends is None:
                self.ends = now + self.rule.seconds
            return now < self.ends
        if self.to_hit == 0 or chance.random() >= self.rule.share:
            return False
        self.to_hit -= 1
        return True

    def _matches(self, method: str, path: str) -> bool:
        if self.rule.method not in (None, method) or not self.pattern.search(path):
            return False
        shape = shape_of(method, path)
        if self.rule.kind is FaultKind.ACTS_LATE and not modifies(shape):
            return False
        return self.rule.shape in (None, shape)


class Faults:
    """The rules in force; they can be changed from any thread while the sandbox serves.

    Args:
        rules: to begin with.
        seed: of what is left to chance.
    """

    def __init__(self, rules: Iterable[FaultRule] = (), seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._armed = [_Armed(rule) for rule in rules]
        self._chance = random.Random(seed)  # noqa: S311 - trouble, not secrets

    def add(self, *rules: FaultRule) -> None:
        """Put rules behind those in force."""
        with self._lock:
            self._armed += [_Armed(rule) for rule in rules]

    def clear(self) -> None:
        """Take all rules out of force."""
        with self._lock:
            self._armed.clear()

    def hitting(self, method: str, path: str) -> FaultRule | None:
        """Return the rule that hits this request, and use it up by one."""
        with self._lock:
            hit = (armed.rule for armed in self._armed if armed.hits(method, path, self._chance))
            return next(hit, None)
