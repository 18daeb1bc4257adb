"""Nothing that a run leaves behind, at any verbosity and whatever goes wrong, holds a secret."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest

from firecrest_sandbox import FaultKind, FaultRule, Sandbox, SandboxConfig
from firecrest_sandbox.auth import TokenAuthority
from firecrest_sandbox.object_storage.presigning import Presigner
from tests.conftest import PROJECT, SANDBOX_API, GatewayUnderTest
from tests.e2e.conftest import Outcome, ReFrame

pytestmark = pytest.mark.e2e

CLIENT = "scanned-client"
SECRET = "tell:No/body+this%one=4711"
WRONG_SECRET = "tell:No/body+that%one=4712"
PAUSE = 0.05
"""Seconds between looks at what a run does."""

SUITE = """
import os
import reframe as rfm
import reframe.utility.sanity as sn

class Scanned(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    sourcesdir = None

    @sanity_function
    def validate(self):
        return sn.assert_found("fine", self.stdout)

@rfm.simple_test
class Small(Scanned):
    executable = "echo fine"

@rfm.simple_test
class Failing(Scanned):
    executable = "env; false"

@rfm.simple_test
class Large(Scanned):
    executable = "head -c 300000 /dev/urandom > made; wc -c big; echo fine"

    @run_before("run")
    def write(self):
        with open(os.path.join(self.stagedir, "big"), "wb") as file:
            file.write(os.urandom(300_000))
"""


@dataclass
class Watched:
    """A sandbox that records the secrets that it has issued, and the files of runs.

    Attributes:
        given: tokens and signatures.
    """

    sandbox: Sandbox
    given: list[str] = field(default_factory=list)

    def needles(self) -> dict[str, bytes]:
        """Return all that must not be found, by what it is."""
        found = {f"secret {number}": secret for number, secret in enumerate((SECRET, WRONG_SECRET))}
        for name, secret in list(found.items()):
            basic = f"{quote_plus(CLIENT)}:{quote_plus(secret)}".encode()
            found[f"{name}, quoted"] = quote(secret, safe="")
            found[f"{name}, half quoted"] = quote(secret)
            found[f"{name}, for basic authentication"] = base64.b64encode(basic).decode()
        found |= {f"token or signature {number}": text for number, text in enumerate(self.given)}
        return {name: text.encode() for name, text in found.items()}


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    given: list[str] = []
    issue, presign = TokenAuthority.issue, Presigner.presign
    presign_form = Presigner.presign_form

    def noted_issue(self: TokenAuthority) -> str:
        token = issue(self)
        # The last part is what makes it a secret, and shows that a token was cut in pieces, too.
        given.extend((token, token.rpartition(".")[2]))
        return token

    def noted_presign(self: Presigner, method: str, url_prefix: str, path: str, **query: str) -> str:
        url = presign(self, method, url_prefix, path, **query)
        given.extend(parse_qs(urlsplit(url).query)["X-Amz-Signature"])
        return url

    def noted_form(self: Presigner, bucket: str, key: str) -> dict[str, str]:
        fields = presign_form(self, bucket, key)
        given.extend(fields[name] for name in ("policy", "x-amz-signature"))
        return fields

    config = SandboxConfig(
        api=SANDBOX_API,
        client_id=CLIENT,
        client_secret=SECRET,  # type: ignore[arg-type]  # pydantic makes a secret of it
        max_ops_file_size=100_000,
        output_limit=100_000,
        max_part_size=200_000,
        transfer_poll=0.05,
    )
    with pytest.MonkeyPatch.context() as patch, Sandbox(config) as sandbox:
        patch.setattr(TokenAuthority, "issue", noted_issue)
        patch.setattr(Presigner, "presign", noted_presign)
        patch.setattr(Presigner, "presign_form", noted_form)
        yield Watched(sandbox, given)


@dataclass
class Seen:
    """Observations of a run while it was active.

    Attributes:
        commands: command lines of its processes.
        open_files: temporary files that others can read.
        read: contents of temporary files.
    """

    commands: set[bytes] = field(default_factory=set)
    open_files: set[str] = field(default_factory=set)
    read: dict[str, bytes] = field(default_factory=dict)

    def look(self, leader: int, temporary: Path) -> None:
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getsid(int(entry.name)) == leader:
                    self.commands.add((entry / "cmdline").read_bytes())
        for path in temporary.iterdir():
            with suppress(OSError):
                if stat.S_IMODE(path.stat().st_mode) & 0o077:
                    self.open_files.add(str(path))
        for path in temporary.rglob("*"):
            with suppress(OSError):
                if path.is_file():
                    self.read[str(path)] = path.read_bytes()


@contextmanager
def looking(process: subprocess.Popen[str], temporary: Path) -> Iterator[Seen]:
    """Look at a run until the end of the context."""
    seen, over = Seen(), threading.Event()

    def watch() -> None:
        while not over.wait(PAUSE):
            seen.look(process.pid, temporary)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def found_in(needles: Mapping[str, bytes], haystacks: Mapping[str, bytes]) -> list[str]:
    """Return what was found where."""
    return [
        f"{what} in {where}"
        for where, content in haystacks.items()
        for what, needle in needles.items()
        if needle in content
    ]


def files_below(*tops: Path) -> dict[str, bytes]:
    paths = [path for top in tops for path in top.rglob("*")]
    return {str(path): path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()}


def run_and_look(
    watched: Watched, place: Path, outage: float = 1800.0, **environment: str
) -> tuple[Outcome, Seen]:
    """Run the suite as loudly as can be."""
    place.chmod(0o700)
    (place / "tmp").mkdir()
    (place / "check.py").write_text(SUITE)
    config = place / "settings.py"
    # In parts, large inputs would not need the storage.
    options = {"firecrest": {"retry_timeout": outage, "direct_upload_max": 0}}
    text = (PROJECT / "config/sandbox.py").read_text()
    config.write_text(text.replace('"max_jobs": 8', f'"max_jobs": 8, "sched_options": {options}'))
    variables = {"TMPDIR": str(place / "tmp"), **environment}
    reframe = ReFrame(
        place, GatewayUnderTest("watched sandbox", watched.sandbox.environment(), embedded=True)
    )
    try:
        process = reframe.start([str(place / "check.py")], "-vvvv", config=config, environment=variables)
        with looking(process, place / "tmp") as seen:
            outcome = reframe.finish(process, timeout=90)
    finally:
        reframe.close()
        watched.sandbox.faults.clear()
    return outcome, seen


def check_nothing_is_exposed(watched: Watched, place: Path, outcome: Outcome, seen: Seen) -> None:
    left = files_below(place, watched.sandbox.root)
    commands = {f"a command line: {line!r}": line for line in seen.commands}
    needles = watched.needles()
    printed = {"the output": outcome.output.encode()}
    assert found_in(needles, {**left, **commands, **seen.read, **printed}) == []
    assert not seen.open_files
    # It was a run of ours, and it was looked at.
    assert any(b"reframe" in line for line in seen.commands)
    assert max(len(left[name]) for name in left if name.endswith(".log")) > 10_000
    for path in (place / ".local").rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, f"{path} can be read by others"


def test_a_run_that_goes_well(watched: Watched, tmp_path: Path) -> None:
    outcome, seen = run_and_look(watched, tmp_path)
    results = {name: case["result"] for name, case in outcome.cases().items()}
    assert results == {"Small": "pass", "Failing": "fail", "Large": "pass"}, outcome.output
    assert sum("storage" in shape for shape in watched.sandbox.stats().by_shape) >= 3
    assert len(watched.given) > 5
    assert seen.read, "no archive was seen under way"
    check_nothing_is_exposed(watched, tmp_path, outcome, seen)


def test_an_identity_provider_that_refuses(watched: Watched, tmp_path: Path) -> None:
    outcome, seen = run_and_look(watched, tmp_path, FIRECREST_CLIENT_SECRET=WRONG_SECRET)
    assert outcome.code != 0
    assert f"refuses client '{CLIENT}'" in outcome.output
    check_nothing_is_exposed(watched, tmp_path, outcome, seen)


TROUBLE = {
    "a storage that breaks off and refuses": (
        FaultRule(path="^/storage/", kind=FaultKind.CUT, times=2),
        FaultRule(path="^/storage/", kind=FaultKind.STATUS, status=403, times=999),
    ),
    "a gateway that dies": (FaultRule(path="^/", kind=FaultKind.CUT, after=8, times=999_999),),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble(watched: Watched, tmp_path: Path, what: str) -> None:
    watched.sandbox.faults.add(*TROUBLE[what])
    basic = {"FIRECREST_AUTH": "client_secret_basic"} if "gateway" in what else {}
    outcome, seen = run_and_look(watched, tmp_path, outage=0.0, **basic)
    assert outcome.code == 1
    assert outcome.cases()["Large"]["result"] == "fail", outcome.output
    check_nothing_is_exposed(watched, tmp_path, outcome, seen)


def test_the_scanner_finds_what_it_looks_for(watched: Watched, tmp_path: Path) -> None:
    watched.sandbox.state.authority.issue()
    token = watched.given[-2]
    (tmp_path / "log").write_text(f"Authorization: Bearer {token}; client_secret={quote_plus(SECRET)}\n")
    found = found_in(watched.needles(), files_below(tmp_path))
    assert any("token" in line for line in found)
    assert any("quoted" in line for line in found)
