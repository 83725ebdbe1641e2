"""A PostgreSQL server of a test's own: in a temporary folder, on a Unix socket, as user postgres where root runs the test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

QUICK = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "shared_buffers=16MB", "-c", "listen_addresses="]


class Server:
    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="glassnet-postgresql-", dir="/tmp"))  # sockets need short names
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", f"--pgdata={self.folder / 'data'}")
        self.start()

    def url(self, database: str) -> str:
        """The address of a database, which is made if there is none."""
        import psycopg

        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
                connection.execute(f'create database "{database}"')
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        import psycopg

        command = [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *QUICK]
        self._process = subprocess.Popen(command, **self._options())
        for _ in range(600):
            assert self._process.poll() is None, (self.folder / "log").read_text()
            try:
                psycopg.connect(self._address("postgres")).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise AssertionError("PostgreSQL did not start")

    def stop(self) -> None:
        """All connections are cut."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def remove(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder)

    def _address(self, database: str) -> str:
        return f"host={self.folder} user=postgres dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([self._programs / program, *arguments], check=True, **self._options())

    def _options(self) -> dict[str, Any]:
        with (self.folder / "log").open("ab") as log:
            return {"cwd": self.folder, "stdout": os.dup(log.fileno()), "stderr": subprocess.STDOUT, **self._user}
