"""Starts a process for a peer (`benchmarks.speed.worker`) and sends it requests."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.speed.machine import pinned

TIMEOUT = 600.0
"""Seconds after which a peer that does not answer is killed."""


HELD_TO_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
"""What keeps PyTorch, oneDNN and MKL from wider vectors where glassnet has GLASSNET_SIMD=avx2; XLA has a flag."""


def held_to_avx2() -> bool:
    return os.environ.get("GLASSNET_SIMD", "").lower() == "avx2"


class WorkerError(Exception):
    """A peer failed, died or timed out; the message becomes the note of its row."""


def child_environment(**extra: str) -> dict[str, str]:
    """The environment for a child process, with the same glassnet on its path."""
    source = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH", "")) if part)
    return os.environ | {"PYTHONPATH": path} | extra


class Worker:
    """A child process on `threads` processors."""

    def __init__(self, threads: int, scratch: Path) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  closed by close()
        flags = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
        if held_to_avx2():
            flags += " --xla_cpu_max_isa=AVX2"
        environment = child_environment(
            JAX_PLATFORMS="cpu",
            XLA_FLAGS=f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
            NPROC=str(threads),
            TORCHINDUCTOR_CACHE_DIR=str(scratch / "inductor"),
            **(HELD_TO_AVX2 if held_to_avx2() else {}),
        )
        with pinned(threads):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.speed.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env=environment,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(TIMEOUT, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            raise WorkerError(f"its process ended: {self._last_line()}")
        reply: dict[str, Any] = json.loads(line)
        if "failed" in reply:
            raise WorkerError(f"failed: {reply['failed']}")
        return reply

    def _last_line(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"exit code {code}, after at most {TIMEOUT:.0f} s"

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None and not stream.closed:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
