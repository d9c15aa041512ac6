"""A real headless Chromium, driven by playwright. Tests that need it skip, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
)


def chromium() -> str:
    """Path of a Chromium or Chrome; skips the test without one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine (set CHROMIUM to its path)")
    return found


@contextmanager
def browser(*flags: str, microphone: Path | None = None) -> Iterator[Browser]:
    """A browser; ``microphone``: a WAV file that the fake microphone plays, over and over."""
    more = [f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    with sync_playwright() as playwright, _launched(playwright.chromium, *flags, *more) as it:
        yield it


def beside(first: Browser, *flags: str) -> AbstractContextManager[Browser]:
    """One more browser, while ``first`` runs: a thread can have only one playwright."""
    return _launched(first.browser_type, *flags)


@contextmanager
def _launched(kind: BrowserType, *flags: str) -> Iterator[Browser]:
    it = kind.launch(executable_path=chromium(), args=[*FLAGS, *flags])
    try:
        yield it
    finally:
        it.close()


def watched_page(context: BrowserContext, faults: list[str]) -> Page:
    """A page whose uncaught errors are collected in ``faults``."""
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    return page
