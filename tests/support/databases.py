"""Real databases for tests: a throw-away PostgreSQL cluster of our own, and time that moves when a test says so."""

import contextlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PEPPER = b"p" * 32


@dataclass
class Clock:
    """Time that moves when a test says so."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server that listens on a Unix socket in its own folder."""

    folder: Path
    bin: Path
    prefix: tuple[str, ...]  # runs a command as a user that PostgreSQL accepts

    def run(self, tool: str, *arguments: str) -> None:
        command = [*self.prefix, str(self.bin / tool), *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{tool}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def empty_database(self) -> str:
        """The URL of the cluster's one database, emptied: much quicker than one database a test."""
        empty = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        self.run("psql", "-h", str(self.folder), "-U", "postgres", "-q", "-c", empty, "postgres")
        return f"postgresql://postgres@/postgres?host={self.folder}"


def postgres_tools() -> Path | None:
    found = shutil.which("initdb")
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *([Path(found).resolve().parent] if found else [])]
    needed = ("initdb", "pg_ctl", "psql")
    return next((each for each in folders if all((each / tool).exists() for tool in needed)), None)


def unprivileged(folder: Path) -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        return ("runuser", "-u", "postgres", "--")
    pytest.skip("PostgreSQL refuses to run as root and there is no user postgres")
