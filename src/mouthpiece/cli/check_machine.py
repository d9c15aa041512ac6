"""The machine: Python, cores, memory, files, clock."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

import mouthpiece
from mouthpiece.cli.findings import Finding, failure, note, ok, warning
from mouthpiece.settings import Settings

MIB: Final = 1024 * 1024
GATEWAY_MIB, WORKER_MIB, SESSION_MIB = 160, 310, 20
"""Resident memory of the server's own process, of each worker (both measured at start), and of each session."""

_CGROUP: Final = Path("/sys/fs/cgroup")
_UNLIMITED_MIB: Final = 1 << 40


def python(_: Settings) -> Finding:
    """The interpreter can run compiled code; its version is the installer's business."""
    text = f"Python {platform.python_version()} ({platform.python_implementation()}, {platform.machine()})"
    if platform.python_implementation() != "CPython":
        return failure("python", text, "use CPython: the drawing code is compiled by numba, which needs it")
    return ok("python", text)


def cores(_: Settings) -> Finding:
    """There is a core to draw on, and no container quota that takes it away."""
    count = usable_cores()
    if count < 1:
        remedy = "give the container at least one whole core (cpu quota), or expect one or two sessions at most"
        return warning("cores", f"{count:.1f} of a core", remedy)
    return ok("cores", f"{count:g}")


def usable_cores() -> float:
    """Cores that this process may use: its affinity, and the container's quota."""
    count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else min(count, int(quota) / int(period))


def memory(settings: Settings) -> Finding:
    """Enough for the processes that will be started."""
    workers = settings.server.workers
    if workers is None:
        workers = int(usable_cores()) if usable_cores() > 1 else 0
    need = (GATEWAY_MIB + workers * WORKER_MIB if workers else WORKER_MIB) + SESSION_MIB
    free = free_mib()
    text = f"{free:,.0f} MiB free; {_processes(workers)} need about {need:,} MiB before the first session"
    if free < need:
        fewer = "--workers 0" if workers else "more memory"
        return failure("memory", text, f"free some, or start with {fewer}")
    if free < need + 10 * SESSION_MIB:
        return warning("memory", text, f"each session takes up to {SESSION_MIB} MiB more: free some")
    return ok("memory", text)


def free_mib() -> float:
    """Memory that can still be had: the machine's, and the container's if it has a limit."""
    machine = _UNLIMITED_MIB
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            machine = int(line.split()[1]) // 1024
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return float(machine if limit == "max" else min(machine, (int(limit) - int(used)) // MIB))
    except (OSError, ValueError):
        return float(machine)


def data_folder(settings: Settings) -> Finding:
    """Where everything is kept can be written, and has room."""
    folder = settings.server.data.expanduser().absolute()
    where = next(place for place in (folder, *folder.parents) if place.exists())
    name, remedy = "data folder", "choose another with --data, or mend its owner and mode"
    if not where.is_dir():
        return failure(name, f"{where} is a file", remedy)
    try:
        with tempfile.TemporaryFile(dir=where):
            pass
    except OSError as error:
        return failure(name, f"{where} cannot be written ({error.strerror})", remedy)
    free = shutil.disk_usage(where).free // MIB
    text = f"{folder}{'' if where == folder else ' (will be made)'}, {free:,} MiB free"
    wanted = settings.render.max_disk_bytes // MIB
    if free < 64:
        return failure(name, text, "free some space: the database needs it")
    if free < wanted:
        return warning(name, text, f"videos may take {wanted:,} MiB: free some, or lower render.max_disk_bytes")
    return ok(name, text)


def open_files(_: Settings) -> Finding:
    """Every session needs some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 1024:
        return warning("open files", f"at most {soft}", f"raise it: ulimit -n {min(65_536, hard)}")
    return ok("open files", f"at most {'any number' if soft == resource.RLIM_INFINITY else f'{soft:,}'}")


def clock(settings: Settings) -> Finding:
    """Not behind the files that it has dated itself: tokens and credentials carry times."""
    dated = [Path(mouthpiece.__file__), *_files(settings.server.data.expanduser())]
    ahead = max(path.stat().st_mtime for path in dated) - time.time()
    text = time.strftime("%Y-%m-%d %H:%M:%S %z")
    if ahead > 60:
        remedy = "set the clock (for example: timedatectl set-ntp true)"
        return failure("clock", f"{text}, which is {ahead / 60:,.0f} min before files that are there already", remedy)
    return ok("clock", text)


def ffmpeg(_: Settings) -> Finding:
    """The program is not used: people ask."""
    found = shutil.which("ffmpeg")
    return note("ffmpeg", f"not needed ({found or 'not installed'}): the codecs come with the package")


def _processes(workers: int) -> str:
    return f"the server and {workers} worker{'s' if workers > 1 else ''}" if workers else "one process will"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []
