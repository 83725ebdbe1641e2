"""A Chromium for the tests that open pages: one that is there, else playwright's own, else the system's package.

`python -m tests.install_browser` (part of `make test`) installs it. Without one these tests are skipped and the others run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
QUICK_FAILURE = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "15000"}  # ms: without a network nobody waits for long


def launch(driver: Any) -> Any:
    """A browser that was opened, or None: those on the PATH first, then the one that playwright has downloaded."""
    for program in [*filter(None, map(shutil.which, NAMES)), None]:
        try:
            return driver.chromium.launch(executable_path=program, args=FLAGS)
        except Exception:  # there, but it does not start: a stub, or a library is missing
            continue
    return None


def opens() -> bool:
    """Whether there is a browser that starts."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = launch(driver)
        if found is not None:
            found.close()
        return found is not None


def ways() -> list[list[str]]:
    """The commands that may bring one, the gentlest first."""
    found = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        found += [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]]
    return found


def main() -> None:
    for command in [[], *ways()]:
        if command:
            print(f"For the tests in a browser: {' '.join(command)}", flush=True)
            subprocess.run(command, check=False, env=os.environ | QUICK_FAILURE, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)  # fmt: skip
        if opens():
            return
    print("No Chromium was found, and none could be installed: the tests that open pages in a browser will be skipped.")


if __name__ == "__main__":
    main()
