"""Machines that are not here: directories that look like their /proc and /sys."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.commands.detect.script import COLLECT, FACTS

CPU = "sys/devices/system/cpu"


@dataclass(frozen=True)
class Cache:
    """One kind of cache; sizes as the kernel prints them, `shared` in cores."""

    level: int
    type: str
    size: str
    sets: int
    shared: int = 1


@dataclass(frozen=True)
class Machine:
    """A machine whose threads are numbered as Linux does: first one of every core, then the others.

    Attributes:
        memory_only: NUMA nodes without processors.
        switched_off: SMT is off: the directories of the second threads are there, but empty.
    """

    machine: str
    cpuinfo: Mapping[str, str]
    sockets: int
    cores: int
    threads: int = 1
    numa_per_socket: int = 1
    memory_only: int = 0
    switched_off: bool = False
    caches: tuple[Cache, ...] = ()
    names: tuple[str, str] = ("core_cpus", "package_cpus")
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.sockets * self.cores * self.threads

    def cpus_of(self, cores: Iterable[int]) -> list[int]:
        step = self.sockets * self.cores
        on = 1 if self.switched_off else self.threads
        return [core + thread * step for core in cores for thread in range(on)]

    def mask(self, cpus: Iterable[int]) -> str:
        digits = f"{sum(1 << cpu for cpu in cpus):0{-(-self.total // 4)}x}"
        first = len(digits) % 8
        groups = [digits[start : start + 8] for start in range(first, len(digits), 8)]
        return ",".join(([digits[:first]] if first else []) + groups)

    def files(self) -> dict[str, str]:
        """Return all files with their contents."""
        step = self.sockets * self.cores
        found = {
            "proc/cpuinfo": "".join(
                f"processor\t: {cpu}\n"
                + "".join(f"{key}\t: {value}\n" for key, value in self.cpuinfo.items())
                + "\n"
                for cpu in range(2)
            ),
            f"{CPU}/online": f"0-{(step if self.switched_off else self.total) - 1}\n",
            f"{CPU}/kernel_max": "8191\n",
        }
        for cpu in range(self.total):
            found[f"{CPU}/cpu{cpu}/uevent"] = "\n"
            if self.switched_off and cpu >= step:
                continue
            core = cpu % step
            socket = core // self.cores
            cores_of_socket = range(socket * self.cores, (socket + 1) * self.cores)
            core_name, socket_name = self.names
            found[f"{CPU}/cpu{cpu}/topology/{core_name}"] = self.mask(self.cpus_of([core])) + "\n"
            found[f"{CPU}/cpu{cpu}/topology/{socket_name}"] = self.mask(self.cpus_of(cores_of_socket)) + "\n"
            for index, cache in enumerate(self.caches):
                start = core // cache.shared * cache.shared
                where = f"{CPU}/cpu{cpu}/cache/index{index}"
                found[f"{where}/level"] = f"{cache.level}\n"
                found[f"{where}/type"] = f"{cache.type}\n"
                found[f"{where}/size"] = f"{cache.size}\n"
                found[f"{where}/coherency_line_size"] = "64\n"
                found[f"{where}/number_of_sets"] = f"{cache.sets}\n"
                found[f"{where}/physical_line_partition"] = "1\n"
                shared = self.cpus_of(range(start, start + cache.shared))
                found[f"{where}/shared_cpu_map"] = self.mask(shared) + "\n"
        count = self.sockets * self.numa_per_socket
        for node in range(count + self.memory_only):
            cores = range(node * step // count, (node + 1) * step // count) if node < count else range(0)
            found[f"sys/devices/system/node/node{node}/cpumap"] = self.mask(self.cpus_of(cores)) + "\n"
        return {**found, **self.also}

    def build(self, root: Path) -> Path:
        for name, content in self.files().items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    def facts(self, root: Path) -> str:
        """Run the detection job's own commands on the machine."""
        self.build(root)
        command = ["bash", "-c", COLLECT, "bash", str(root), self.machine]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60)
        assert done.stderr == ""
        return (root / FACTS).read_text()


EPYC = Machine(
    machine="x86_64",
    cpuinfo={
        "vendor_id": "AuthenticAMD",
        "cpu family": "25",
        "model name": "AMD EPYC 7413 24-Core Processor",
        "flags": (
            "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr "
            "sse sse2 ht syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm constant_tsc rep_good nopl "
            "nonstop_tsc cpuid extd_apicid aperfmperf rapl pni pclmulqdq monitor ssse3 fma cx16 pcid "
            "sse4_1 sse4_2 x2apic movbe popcnt aes xsave avx f16c rdrand lahf_lm cmp_legacy svm extapic "
            "cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs skinit wdt tce topoext "
            "perfctr_core perfctr_nb bpext perfctr_llc mwaitx cpb cat_l3 cdp_l3 invpcid_single "
            "hw_pstate ssbd mba ibrs ibpb stibp vmmcall fsgsbase bmi1 avx2 smep bmi2 invpcid cqm rdt_a "
            "rdseed adx smap clflushopt clwb sha_ni xsaveopt xsavec xgetbv1 xsaves cqm_llc clzero "
            "irperf xsaveerptr rdpru wbnoinvd amd_ppin arat npt lbrv svm_lock nrip_save tsc_scale "
            "vmcb_clean flushbyasid decodeassists pausefilter pfthreshold v_vmsave_vmload vgif "
            "v_spec_ctrl umip pku ospke vaes vpclmulqdq rdpid overflow_recov succor smca"
        ),
    },
    sockets=2,
    cores=12,
    threads=2,
    numa_per_socket=2,
    caches=(
        Cache(1, "Data", "32K", 64),
        Cache(1, "Instruction", "32K", 64),
        Cache(2, "Unified", "512K", 1024),
        Cache(3, "Unified", "32768K", 32768, shared=6),
    ),
)
"""Two sockets of twelve cores with two threads; six cores share an L3."""

GRACE = Machine(
    machine="aarch64",
    cpuinfo={
        "BogoMIPS": "2000.00",
        "Features": (
            "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc "
            "dcpop sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp "
            "sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svebf16 i8mm bf16 dgh bti"
        ),
        "CPU implementer": "0x41",
        "CPU architecture": "8",
        "CPU variant": "0x0",
        "CPU part": "0xd4f",
        "CPU revision": "0",
    },
    sockets=1,
    cores=72,
    memory_only=1,
    caches=(
        Cache(1, "Data", "64K", 256),
        Cache(1, "Instruction", "64K", 256),
        Cache(2, "Unified", "1024K", 2048),
        Cache(3, "Unified", "116736K", 155648, shared=72),
    ),
)
"""One socket of 72 cores, with the memory of an accelerator as a NUMA node of its own."""
