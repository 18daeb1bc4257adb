"""Which request fails, and how: cases, their names, and how they are chosen."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firecrest_sandbox import FaultKind, FaultRule
from firecrest_sandbox.fault_injection.faults import UPSTREAM_ERROR, modifies
from tests.conftest import SANDBOX_API

TIMEOUT = 3.0
"""Seconds that the client waits for an answer in runs in which one never comes."""


@dataclass(frozen=True)
class Kind:
    """One kind of failure.

    Attributes:
        meaning: for the table of results.
        rule: the fault rule for the sandbox.
        unanswered: the client gets to know by waiting only.
        extra: seconds that a run may take longer than with other kinds.
    """

    meaning: str
    rule: Mapping[str, Any]
    unanswered: bool = False
    extra: float = 0.0


def _status(status: int, meaning: str, **headers: str) -> Kind:
    return Kind(meaning, {"kind": FaultKind.STATUS, "status": status, "headers": headers})


def _status_after(status: int) -> Kind:
    return Kind(f"{status} although it acted", {"kind": FaultKind.STATUS_AFTER, "status": status})


KINDS: Mapping[str, Kind] = {
    "cut": Kind("connection cut before it reached the server", {"kind": FaultKind.CUT}),
    "lost": Kind("reply lost after the server had acted", {"kind": FaultKind.LOSE_REPLY}),
    "401": _status(401, "401"),
    "408": _status(408, "408 before it acted"),
    "408-after": _status_after(408),
    "424": _status(424, "424"),
    "429": _status(429, "429 without Retry-After"),
    "429-later": _status(429, "429 with Retry-After", **{"Retry-After": "1"}),
    "500": _status(500, "500 before it acted"),
    "500-after": _status_after(500),
    "502-after": _status_after(502),
    "503": _status(503, "503"),
    "503-after": Kind(
        "503 of a proxy although it acted",
        {"kind": FaultKind.STATUS_AFTER, "status": 503, "text": UPSTREAM_ERROR},
    ),
    "504-after": _status_after(504),
    "ignored": Kind("never acted, never answered", {"kind": FaultKind.IGNORE}, unanswered=True),
    "muted": Kind("acted, never answered", {"kind": FaultKind.MUTE}, unanswered=True),
    "late": Kind(
        "acted after the client had given up",
        {"kind": FaultKind.HANG, "seconds": TIMEOUT + 1.5},
        unanswered=True,
    ),
    "truncated": Kind("connection cut in the middle of the body", {"kind": FaultKind.TRUNCATE}),
    "garbled": Kind("half of the body, as if it were all", {"kind": FaultKind.GARBLE}),
    "page": Kind("a page of HTML instead of the body", {"kind": FaultKind.PAGE}),
    "portal": Kind("200 and a page of HTML from something in between", {"kind": FaultKind.PORTAL}),
    "acts-late": Kind(
        "connection cut, acted seconds later", {"kind": FaultKind.ACTS_LATE, "seconds": 4.0}, extra=60.0
    ),
    "401-thrice": Kind(
        "401 three times in succession", {"kind": FaultKind.STATUS, "status": 401, "times": 3}, extra=60.0
    ),
    "endless": Kind("a body that never ends", {"kind": FaultKind.ENDLESS, "size": 512 * 1024**2}),
}

LATE_SUBMISSION = 9.0
"""Seconds after which a submission is carried out that `acts-late` hits; other requests take 4."""
LONG_JOB = 12.0
"""Seconds that jobs take in runs with a late submission, so that both jobs of one submission really exist."""
_SUBMISSIONS = ("POST /compute/{system}/jobs", "POST /compute/jobs/path", "POST /compute/jobs/upload")

TASK_KINDS: Mapping[str, Kind] = {
    "stalled": Kind("its task never ends, and it never acted", {"kind": FaultKind.STALL}, unanswered=True),
    "stalled-after": Kind(
        "its task never ends, although it acted", {"kind": FaultKind.STALL_AFTER}, unanswered=True
    ),
    "warned": Kind("its task says that it failed, although it acted", {"kind": FaultKind.WARN}),
}
"""Kinds of failure that only requests have which FirecREST v1 answers with a task."""

if SANDBOX_API == "v1":
    KINDS = {**KINDS, **TASK_KINDS}

SLOW_SYSTEM = tuple(
    FaultRule(shape=f"{method} {place}/{name}", kind=FaultKind.STATUS, times=1000, **how)
    for method, name in (("POST", "extract"), ("POST", "compress"), ("DELETE", "rm"))
    for place, how in (
        ("/filesystem/{system}/ops", {"status": 408}),
        ("/utilities", {"status": 400, "headers": {"X-Timeout": "Command has finished with timeout signal"}}),
    )
)
"""A system where nothing is done within the gateway's 5 s, so that transfer jobs do it all."""


@dataclass(frozen=True, order=True)
class Fault:
    """One failure of one request.

    Attributes:
        shape: the request's method and path as the sandbox counts them.
        number: which of the requests of this shape; 1 is the first.
        kind: a key of `KINDS`.
    """

    shape: str
    number: int
    kind: str

    def __str__(self) -> str:
        return f"{self.shape} #{self.number} {self.kind}"

    @property
    def rule(self) -> FaultRule:
        """The sandbox's rule for it."""
        rule = FaultRule(shape=self.shape, after=self.number - 1, **KINDS[self.kind].rule)
        if rule.kind is FaultKind.ACTS_LATE and self.shape in _SUBMISSIONS:
            return rule.model_copy(update={"seconds": LATE_SUBMISSION})
        return rule


@dataclass(frozen=True, order=True)
class Case:
    """One run.

    Attributes:
        faults: what fails in it.
        slow: on top of `SLOW_SYSTEM`.
    """

    faults: tuple[Fault, ...]
    slow: bool = False

    def __str__(self) -> str:
        return ("slow: " if self.slow else "") + " + ".join(map(str, self.faults))

    @property
    def unanswered(self) -> bool:
        """Return true if the client must wait for its timeout."""
        return any(KINDS[fault.kind].unanswered for fault in self.faults)

    @property
    def kind(self) -> str:
        """The kinds of failure in it."""
        return " + ".join(fault.kind for fault in self.faults)

    @property
    def extra(self) -> float:
        """Seconds that the run may take longer than with other failures."""
        return sum(KINDS[fault.kind].extra for fault in self.faults) + 2 * self.pause

    @property
    def pause(self) -> float:
        """Seconds that each job sleeps."""
        late = any(fault.kind == "acts-late" and fault.shape in _SUBMISSIONS for fault in self.faults)
        return LONG_JOB if late else 0.0

    def met(self, fired: Mapping[str, int]) -> bool:
        """Return true if all faults occurred, by the sandbox's count."""
        wanted: Counter[str] = Counter()
        for fault in self.faults:
            wanted[f"{fault.rule.kind.value} {fault.shape}"] += fault.rule.times
        return all(fired.get(label, 0) >= count for label, count in wanted.items())


_FAULT = re.compile(r"(?P<shape>[A-Z]+ \S+) #(?P<number>\d+) (?P<kind>\S+)")


def parse_case(text: str) -> Case:
    """Read a case's name.

    Raises:
        ValueError: it isn't one; the message says what is expected.
    """
    slow, faults = text.startswith("slow: "), []
    for part in text.removeprefix("slow: ").split(" + "):
        found = _FAULT.fullmatch(part.strip())
        if found is None or found["kind"] not in KINDS or found["number"] == "0":
            raise ValueError(
                f"not a case: {part!r}; expected for example 'POST token #1 cut', with one of the kinds "
                + ", ".join(KINDS)
            )
        faults.append(Fault(found["shape"], int(found["number"]), found["kind"]))
    return Case(tuple(faults), slow)


def every_case(counts: Mapping[str, int], kinds: Sequence[str], *, slow: bool = False) -> list[Case]:
    """Return one case for each recorded request and each kind of failure; the first of all shapes come first.

    Args:
        counts: how many requests of each shape the undisturbed run made.
        kinds: keys of `KINDS`.
        slow: the recording's and the cases' system.
    """
    return [
        Case((Fault(shape, number, kind),), slow)
        for number in range(1, max(counts.values(), default=0) + 1)
        for shape, count in sorted(counts.items())
        if number <= count
        for kind in kinds
        if _applies(kind, shape)
    ]


def _applies(kind: str, shape: str) -> bool:
    """Return whether requests of a shape can fail in such a way."""
    if kind == "401-thrice":
        # Gateways answer so while keys rotate. An identity provider that refuses a secret thrice at the start
        # is to be believed, and object storages refuse a signature with 403.
        return shape != "POST token" and not shape.endswith(" storage")
    if kind == "acts-late":
        return modifies(shape)
    return kind not in TASK_KINDS or _begins_task(shape, kind)


def _begins_task(shape: str, kind: str) -> bool:
    """Return true if a request is answered with a task that can fail in this way."""
    endings = ("/compute/jobs/path",) if kind == "warned" else ("/compute/", "/storage/xfer-")
    return any(ending in shape for ending in endings)


def sample(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    """Choose cases so that all kinds of failure and then as many shapes as possible are among them."""
    chance = random.Random(seed)
    left = list(cases)
    chance.shuffle(left)
    chosen: list[Case] = []
    while left and len(chosen) < size:
        kinds = [case.kind for case in chosen]
        shapes = [case.faults[0].shape for case in chosen]
        best = min(left, key=lambda case: (kinds.count(case.kind), shapes.count(case.faults[0].shape)))
        left.remove(best)
        chosen.append(best)
    return chosen


def pairs(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Put together cases at random, each of two failures of different requests."""
    chance = random.Random(seed)
    found: dict[Case, None] = {}
    while len(found) < count:
        one, other = (case.faults[0] for case in chance.sample(cases, 2))
        if (one.shape, one.number) != (other.shape, other.number):
            found[Case(tuple(sorted((one, other))))] = None
    return list(found)
