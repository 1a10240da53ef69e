"""What this process is: how others tell whether it lives, its rank among the processes of a run, its interpreter.

Reads the environment and /proc; starts nothing.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
LOCAL_RANKS = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")
WORLD_SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")


def host() -> str:
    """This machine's name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    return os.environ.get("COMPUTERNAME", "")


def owner() -> dict[str, Any]:
    """By what another process tells whether this one lives."""
    known: dict[str, Any] = {"pid": os.getpid(), "host": host()}
    boot = read("/proc/sys/kernel/random/boot_id")
    if boot:
        known["boot"] = boot.strip()
    ticks = start_ticks("self")
    if ticks is not None:
        known["start_ticks"] = ticks
    try:
        namespace = os.readlink("/proc/self/ns/pid")
        known["pid_namespace"] = int(namespace[namespace.index("[") + 1 : -1])
    except (OSError, ValueError):
        pass
    return known


def start_ticks(pid: str) -> int | None:
    """When a process began: field 22 of its stat, counted after the name, which may hold anything."""
    try:
        return int((read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()[19])
    except (IndexError, ValueError):
        return None


def read(path: str) -> str | None:
    """A small file's text, if it can be had."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None


def number_of(names: tuple[str, ...]) -> int | None:
    """The first of the variables that holds a number."""
    for name in names:
        value = os.environ.get(name, "")
        if value.isdecimal():
            return int(value)
    return None


def is_worker() -> bool:
    """Whether this process helps another one, as a data loader's workers do, rather than trains."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None:
        return False
    return bool(multiprocessing.current_process().daemon)


def begin(parent: str | None, rank_of_parent: int | None) -> dict[str, Any]:
    """The first event of a journal. A worker has no rank: it would take that of the process it helps."""
    from xtrack._journal import PROTOCOL
    from xtrack._version import __version__

    rank = number_of(RANKS)
    is_helper = is_worker() or (parent is not None and rank == rank_of_parent)
    said: dict[str, Any] = {"protocol": PROTOCOL, "owner": owner()}
    said["rank"] = None if is_helper else rank
    said["local_rank"] = number_of(LOCAL_RANKS)
    said["world_size"] = number_of(WORLD_SIZES)
    said["role"] = "worker" if is_helper else None
    said["client"] = f"xtrack-python {__version__}"
    slurm = {name: value for name, value in os.environ.items() if name.startswith("SLURM_") and _is_plain(name)}
    if slurm:
        said["slurm"] = slurm
    if parent is not None:
        said["parent"] = parent
    return said


def _is_plain(name: str) -> bool:
    """Slurm's variables that say where a process stands; the others may hold anything."""
    kept = ("JOB_ID", "JOBID", "JOB_NAME", "ARRAY_", "PROCID", "LOCALID", "NODEID", "NTASKS", "NNODES", "STEP_ID", "RESTART_COUNT")
    return any(part in name for part in kept)


def environment() -> dict[str, Any]:
    """The interpreter, and the folders its packages lie in."""
    folders = [path for path in sys.path if path.rstrip("/\\").endswith(("site-packages", "dist-packages"))]
    return {
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "executable": sys.executable or None,
        "prefix": sys.prefix,
        "site_packages": list(dict.fromkeys(folders)),
    }


def command() -> list[str]:
    """The command line that began this process."""
    whole = getattr(sys, "orig_argv", None)
    return list(whole) if whole else [sys.executable or "python", *sys.argv]
