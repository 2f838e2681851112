"""A headless Chromium, where one is at hand, and a report to open in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report_made import make_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing resolves but this machine: a page that asks for the network gets none, and the test
# hears of it.
_ARGUMENTS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--force-color-profile=srgb",
]


def chromium_path() -> str | None:
    """`$CHROMIUM`, else the first browser on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a report of 60 shots by 3 fits, and its data."""
    folder = tmp_path_factory.mktemp("report")
    return folder, make_report(folder)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium at hand: install Debian's `chromium`, or set CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any, report: tuple[Path, dict[str, Any]]) -> Iterator[Any]:
    """The report opened from its file; errors of its scripts and asked-for addresses fail."""
    context = browser.new_context(
        viewport={"width": 1366, "height": 900}, offline=True, accept_downloads=True
    )
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("request", lambda r: wrong.append(r.url) if not _local(r.url) else None)
    opened.goto((report[0] / "index.html").as_uri())
    yield opened
    context.close()
    assert not wrong


def _local(address: str) -> bool:
    return address.startswith(("file:", "data:", "blob:"))
