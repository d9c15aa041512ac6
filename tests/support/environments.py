"""Unmodified third-party clients, each in an environment of its own, installed once and kept out of git."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from tests.support.alone import alone

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".clients"
"""Where they are kept (ignored by git): installing takes longer than the tests."""

LOCK = HOME / "lock"
"""Held while one is installed."""

LONGEST_NAME = 70
"""Of a folder: espeak-ng does not find its data where the path is longer than 160 characters."""


@cache
def python_client(requirement: str, *more: str) -> Path:
    """The interpreter of an environment that holds ``requirement``, ``more`` beside it, and nothing of ours."""
    named = [one for one in (requirement, *more) if not one.startswith("--")]
    name = "+".join(named).replace("==", "-").replace("<", "-below-")
    if len(name) > LONGEST_NAME:
        name = f"{named[0].replace('==', '-')}+{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    folder = HOME / name
    python = folder / "bin" / "python"
    done, wanted = folder / ".done", "\n".join((requirement, *more))
    with alone(LOCK):
        if not done.exists() or done.read_text() != wanted:
            uv = [sys.executable, "-m", "uv", "--quiet"]
            _run(*uv, "venv", "--clear", "--python", sys.executable, str(folder))
            _run(*uv, "pip", "install", "--python", str(python), requirement, *more)
            done.write_text(wanted)
    return python


@cache
def python_guest(requirement: str, *more: str) -> Path:
    """The interpreter of an environment that holds ``requirement`` and this project, as a framework's user has them."""
    project = (f"--editable={ROOT}", f"--constraint={ROOT / 'locks' / 'run.txt'}")
    return python_client(requirement, *more, "mouthpiece", *project)


@cache
def browser_bundle(package: str, *more: str) -> Path:
    """One script that puts an npm package on ``window.client``, made with esbuild. Skips where there is no npm.

    ``more``: packages beside it, for those that expect Node's own modules from their bundler.
    """
    folder = HOME / package.replace("@", "-")
    bundle = folder / "bundle.js"
    with alone(LOCK):
        if not bundle.exists():
            _install(folder, package, *more, "esbuild@0.28.2")
            name = package.rsplit("@", 1)[0]
            (folder / "entry.js").write_text(f'import * as client from "{name}"; window.client = client;\n')
            esbuild = folder / "node_modules" / ".bin" / "esbuild"
            _run(str(esbuild), str(folder / "entry.js"), "--bundle", f"--outfile={bundle}", "--log-level=error")
    return bundle


@cache
def npm_package(package: str) -> Path:
    """The folder of an npm package as its registry delivers it. Skips where there is no npm."""
    folder = HOME / f"{package.replace('@', '-')}-alone"
    found = folder / "node_modules" / package.rsplit("@", 1)[0]
    with alone(LOCK):
        if not found.exists():
            _install(folder, package)
    return found


def _install(folder: Path, *packages: str) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: the browser client cannot be fetched")
    folder.mkdir(parents=True, exist_ok=True)
    _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
