"""From a node's facts to ReFrame's processor information."""

from __future__ import annotations

import dataclasses
import glob
import io
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import archspec.cpu.detect  # type: ignore[import-untyped]  # ships no type information
import jsonschema  # type: ignore[import-untyped]  # likewise
import pytest
import reframe.core.config
import reframe.utility.cpuinfo

from reframe_firecrest.commands.detect.facts import Facts, parse_facts
from reframe_firecrest.commands.detect.microarchitecture import microarchitecture
from reframe_firecrest.commands.detect.processor import processor_info
from reframe_firecrest.commands.detect.script import COLLECT, FACTS
from reframe_firecrest.model.errors import DetectionError
from tests.commands.detect.machines import CPU, EPYC, GRACE, Machine

RECORDED = Path(__file__).parent / "recorded.txt"


def look_at(machine: Machine, root: Path) -> dict[str, Any]:
    return processor_info(parse_facts(machine.facts(root)))


def validate(info: dict[str, Any]) -> None:
    """Check it as ReFrame does when it reads processor.json."""
    schema = reframe.core.config.load_config().schema
    part = {"$schema": schema["$schema"], "defs": schema["defs"], "$ref": "#/defs/processor_info"}
    jsonschema.validate(json.loads(json.dumps(info)), part)


def reframes_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run ReFrame's own detection on recorded data of another machine."""
    real = glob.glob

    def below_root(pattern: str) -> list[str]:
        return real(pattern if pattern.startswith(str(root)) else f"{root}{pattern}")

    monkeypatch.setattr(reframe.utility.cpuinfo.glob, "glob", below_root)
    found: dict[str, Any] = reframe.utility.cpuinfo._sysfs_topo()
    monkeypatch.undo()
    return found


def sorted_caches(info: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(info["topology"]["caches"], key=lambda cache: str(cache["type"]))


def test_a_recorded_virtual_machine() -> None:
    info = processor_info(parse_facts(RECORDED.read_text()))
    validate(info)
    assert (info["arch"], info["vendor"], info["model"]) == ("x86_64_v4", "generic", "AMD EPYC")
    assert (info["platform"], info["num_cpus"], info["num_sockets"]) == ("x86_64", 2, 1)
    assert info["topology"]["cores"] == ["0x1", "0x2"]
    assert info["topology"]["numa_nodes"] == info["topology"]["sockets"] == ["0x3"]
    assert info["topology"]["caches"][-1] == {
        "type": "L3",
        "size": 33_554_432,
        "linesize": 64,
        "associativity": 16,
        "num_cpus": 2,
        "cpusets": ["0x3"],
    }


def test_two_sockets_with_two_threads_a_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = look_at(EPYC, tmp_path)
    validate(info)
    assert (info["arch"], info["vendor"]) == ("zen3", "AuthenticAMD")
    assert info["model"] == "AMD EPYC 7413 24-Core Processor"
    assert (info["num_cpus"], info["num_cpus_per_core"]) == (48, 2)
    assert (info["num_cpus_per_socket"], info["num_sockets"]) == (24, 2)
    topology = info["topology"]
    # Cores 0-11 and their second threads 24-35; the kernel prints "000f,ff000fff".
    assert topology["sockets"] == ["0x000fff000fff", "0xfff000fff000"]
    assert topology["cores"][0] == "0x000001000001"
    assert len(topology["cores"]) == 24
    assert topology["numa_nodes"][0] == "0x00003f00003f"
    assert len(topology["numa_nodes"]) == 4
    assert [cache["type"] for cache in topology["caches"]] == ["L1", "L2", "L3"]
    assert [cache["num_cpus"] for cache in topology["caches"]] == [2, 2, 12]
    assert [cache["associativity"] for cache in topology["caches"]] == [8, 8, 16]
    assert [len(cache["cpusets"]) for cache in topology["caches"]] == [24, 24, 4]
    theirs = reframes_own(tmp_path, monkeypatch)
    theirs["topology"]["caches"] = sorted_caches(theirs)
    assert {name: info[name] for name in theirs} == theirs


def test_arm_with_memory_that_is_a_numa_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = look_at(GRACE, tmp_path)
    validate(info)
    assert (info["arch"], info["vendor"], info["platform"]) == ("neoverse_v2", "ARM", "aarch64")
    assert info["model"] == "N/A"
    assert (info["num_cpus"], info["num_cpus_per_core"], info["num_sockets"]) == (72, 1, 1)
    assert info["topology"]["numa_nodes"] == ["0x" + "f" * 18]
    assert info["topology"]["caches"][-1]["size"] == 114 << 20
    theirs = reframes_own(tmp_path, monkeypatch)
    assert len(theirs["topology"]["numa_nodes"]) == 2
    assert sorted_caches(theirs) == info["topology"]["caches"]
    assert theirs["topology"]["cores"] == info["topology"]["cores"]


def test_threads_that_are_switched_off_do_not_count(tmp_path: Path) -> None:
    info = look_at(dataclasses.replace(EPYC, switched_off=True), tmp_path)
    assert (info["num_cpus"], info["num_cpus_per_core"], info["num_cpus_per_socket"]) == (24, 1, 12)


def test_what_is_switched_off_but_still_described_does_not_count(tmp_path: Path) -> None:
    machine = dataclasses.replace(EPYC, also={f"{CPU}/online": "0-23\n"})
    assert look_at(machine, tmp_path)["num_cpus"] == 24


def test_older_kernels_have_other_names(tmp_path: Path) -> None:
    older = dataclasses.replace(EPYC, names=("thread_siblings", "core_siblings"))
    assert look_at(older, tmp_path / "old") == look_at(EPYC, tmp_path / "new")


def test_a_node_without_a_topology_is_an_error(tmp_path: Path) -> None:
    bare = dataclasses.replace(EPYC, names=("x", "y"))
    with pytest.raises(DetectionError, match="reports no cores"):
        look_at(bare, tmp_path)


def test_caches_may_be_missing_or_lack_numbers(tmp_path: Path) -> None:
    assert look_at(dataclasses.replace(EPYC, caches=()), tmp_path / "a")["topology"]["caches"] == []
    facts = parse_facts(EPYC.facts(tmp_path / "b"))
    files = {path: value for path, value in facts.files.items() if not path.endswith("number_of_sets")}
    info = processor_info(dataclasses.replace(facts, files=files))
    assert {cache["associativity"] for cache in info["topology"]["caches"]} == {0}


def test_lscpu_names_what_the_kernel_only_numbers() -> None:
    files = {f"/{CPU}/cpu0/topology/{name}": "1" for name in ("core_cpus", "package_cpus")}
    for said, model in (("Neoverse-V2", "Neoverse-V2"), ("-", "N/A")):
        facts = Facts("aarch64", "nid001", GRACE.cpuinfo, {"Model name": said}, files)
        assert processor_info(facts)["model"] == model


def test_half_of_the_facts_are_not_taken_for_all() -> None:
    with pytest.raises(DetectionError, match="is incomplete"):
        parse_facts(RECORDED.read_text().removesuffix("end:\n"))


@pytest.mark.parametrize("part", ["0xd4f", "0xd40", "0xfff", ""])
def test_arm_is_named_as_archspec_would_there(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_name("aarch64", {**GRACE.cpuinfo, "CPU part": part}, monkeypatch)


@pytest.mark.parametrize("lacking", ["", "vaes", "avx2", "clwb", "ssse3", "sse2"])
@pytest.mark.parametrize("vendor", ["AuthenticAMD", "GenuineIntel"])
def test_x86_is_named_as_archspec_would_there(
    vendor: str, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = " ".join(flag for flag in EPYC.cpuinfo["flags"].split() if flag != lacking)
    assert_same_name("x86_64", {"vendor_id": vendor, "flags": flags}, monkeypatch)


@pytest.mark.parametrize("machine", ["ppc64le", "ppc64"])
@pytest.mark.parametrize("cpu", ["POWER9, altivec supported", "POWER8", "something"])
def test_power_is_named_as_archspec_would_there(
    machine: str, cpu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same_name(machine, {"cpu": cpu}, monkeypatch)


def test_an_unknown_machine_keeps_its_name() -> None:
    assert microarchitecture("sw_64", {}) == ("sw_64", "generic")


def assert_same_name(machine: str, cpuinfo: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{key}\t: {value}\n" for key, value in cpuinfo.items())
    detect = archspec.cpu.detect
    monkeypatch.setattr(detect, "open", lambda *_args, **_more: io.StringIO(text), raising=False)
    monkeypatch.setattr(detect, "_machine", lambda: machine)
    monkeypatch.setattr(detect.platform, "system", lambda: "Linux")
    theirs = detect.host.__wrapped__()
    assert microarchitecture(machine, cpuinfo) == (theirs.name, theirs.vendor)


@pytest.mark.skipif(
    platform.system() != "Linux" or not Path("/sys/devices/system/cpu/cpu0/topology").is_dir(),
    reason="this machine's kernel does not tell its topology",
)
def test_this_machine_is_described_as_by_reframe(tmp_path: Path) -> None:
    subprocess.run(["bash", "-c", COLLECT], cwd=tmp_path, check=True, timeout=60)
    ours = processor_info(parse_facts((tmp_path / FACTS).read_text()))
    theirs = reframe.utility.cpuinfo.cpuinfo()
    theirs["topology"]["caches"] = sorted_caches(theirs)
    assert ours == theirs
