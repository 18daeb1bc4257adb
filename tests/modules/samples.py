"""Snapshots of a system with a compiler that makes other modules visible."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from reframe_firecrest.modules.snapshot import ModuleLoad, ModulesState, Snapshot

TAKEN = datetime(2026, 11, 28, 13, 0, tzinfo=timezone.utc)
CORE = ("PrgEnv-cray/8", "PrgEnv-gnu/8", "gcc/", "gcc/12.2", "gcc/13.1", "cmake/3.25")

BASE = ModulesState(("/core",), ("cce/15", "PrgEnv-cray/8"), CORE)

GNU = Snapshot(
    "cpu",
    "gnu",
    TAKEN,
    "lmod",
    "8.6.19",
    BASE,
    (
        ModuleLoad("PrgEnv-gnu", ("gcc/12.2", "PrgEnv-gnu/8")),
        ModuleLoad("gcc/13.1", ("PrgEnv-gnu/8", "gcc/13.1")),
    ),
    ModulesState(("/gnu", "/core"), ("PrgEnv-gnu/8", "gcc/13.1"), ("fftw/3.4", *CORE)),
    {"PrgEnv-gnu": ("PrgEnv-cray",), "gcc/13.1": ("gcc",), "gcc/12.2": ("gcc", "clang")},
    ("slow/1",),
)

PLAIN = replace(GNU, environ="plain", loads=(), after=BASE)
CUDA = replace(BASE, available=("cuda/12",))
OTHER = replace(PLAIN, partition="gpu", before=CUDA, after=CUDA)
SNAPSHOTS = [GNU, PLAIN, OTHER]
