"""A PostgreSQL for the tests of searches on many machines: one that is there, else the system's package.

`python -m tests.install_postgresql` (part of `make test`) installs it. Without one these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt", "/usr/pgsql")  # of Debian, own builds, macOS
NEEDED = ("initdb", "postgres")


def programs() -> Path | None:
    """The folder with PostgreSQL's programs, or None."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).parent] if on_path else []
    found += sorted((path.parent for place in PLACES for path in Path(place).glob("**/bin/postgres")), reverse=True)
    return next((folder for folder in found if all((folder / name).exists() for name in NEEDED)), None)


def ways() -> list[list[str]]:
    """The commands that may bring one."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        return [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"]]
    return []


def main() -> None:
    for command in [[], *ways()]:
        if command:
            print(f"For the tests with PostgreSQL: {' '.join(command)}", flush=True)
            subprocess.run(command, check=False, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        if programs() is not None:
            return
    print("No PostgreSQL was found, and none could be installed: the tests of searches that share one will be skipped.")


if __name__ == "__main__":
    main()
