"""`glassnet train --ranks N`: processes that train together on MPI, how they are started, and how they end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from glassnet.runtime import Ranks

ALIKE = 2.0  # seconds within which all ranks fail that fail alike
PASSING = 0.2  # seconds for what was printed to reach the launcher, before it ends all ranks
TURN = 0.5  # seconds between ranks that would report an error: the first to do so ends the others
# What MPICH's launcher and library print when a process fails, besides what glassnet says.
BANNER = re.compile(
    r"^(=+$|=   |YOUR APPLICATION TERMINATED|This typically refers to|Please see the FAQ|\[(proxy|mpiexec)|Abort\(|"
    r"application called MPI_Abort|Press Ctrl-C again|Sending Ctrl-C|Ctrl-C caught|internal_Abort|MPICH: )"
)
KILLED = re.compile(r"^=   EXIT CODE: (\d+)")
LOST = 255  # mpiexec's exit code when its process on a machine is gone
PARENT_DIES = 1  # PR_SET_PDEATHSIG in <linux/prctl.h>


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Have this process sent a signal when the one that started it ends, however that happens; on Linux only.

    Else ranks whose launcher is killed would train on, and nobody would see what they print.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DIES, number)


def launch(count: int, where: str | None) -> int:
    """Start this command again as `count` ranks, pass on what they print, and wait; the exit code.

    `where`: the run folder, as far as it is known.
    """
    from glassnet.cli.console import complain, same_command
    from glassnet.errors import InputError

    beside = Path(sys.executable).parent / "mpiexec"
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise InputError(
            tr("Training on several ranks needs MPI."),
            where="--ranks",
            expected=tr("mpiexec, beside Python or on the path"),
            hint='pip install "glassnet[mpi]"',
        )
    command = [mpiexec, "-n", str(count), sys.executable, *same_command()]
    ranks = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
        preexec_fn=end_with_parent,
    )
    seen: list[str] = []
    pipes = [
        threading.Thread(target=_pass_on, args=(pipe, target, seen), daemon=True)
        for pipe, target in ((ranks.stdout, sys.stdout), (ranks.stderr, sys.stderr))
    ]
    before = {number: signal.signal(number, lambda *_: ranks.terminate()) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        for pipe in pipes:
            pipe.start()
        code = _wait(ranks)
        for pipe in pipes:
            pipe.join()
    finally:
        if ranks.poll() is None:
            ranks.terminate()
        for number, handler in before.items():
            signal.signal(number, handler)
    killed = [int(number) for number in seen if int(number) > 128 or int(number) in (signal.SIGKILL, signal.SIGSEGV)]
    if code < 0:
        cause = tr("mpiexec was ended by signal {number} ({name})", number=-code, name=_name(-code))
    elif killed and code not in (1, 2, 130):
        cause = tr("a rank was ended by signal {number} ({name})", number=killed[0] % 128, name=_name(killed[0] % 128))
    elif code == LOST:
        cause = tr("mpiexec has lost its processes on a machine")
    else:
        return code
    complain(
        tr(
            "glassnet: {cause}, so the others were ended, too. Go on from the last checkpoint, with any number of "
            "ranks: {command}",
            cause=cause,
            command=f"glassnet train --resume {where or 'RUN'}",
        )
    )
    return 1


def _name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else "?"


def _wait(ranks: subprocess.Popen[bytes]) -> int:
    """Wait for the ranks; Ctrl-C is passed on once."""
    while True:
        try:
            return ranks.wait()
        except KeyboardInterrupt:
            ranks.send_signal(signal.SIGINT)


def _pass_on(pipe: IO[bytes] | None, target: Any, seen: list[str]) -> None:
    """Print the lines from a pipe, but the launcher's own; `seen` gets the exit codes that these tell."""
    assert pipe is not None
    with pipe:
        for raw in pipe:
            line = raw.decode(errors="replace")
            if found := KILLED.match(line):
                seen.append(found[1])
            if not BANNER.match(line):
                with contextlib.suppress(OSError):
                    target.write(line)
                    target.flush()


@contextlib.contextmanager
def member(wanted: int | None) -> Iterator[Ranks | None]:
    """This process as one of several ranks, if an MPI launcher started it as one; only rank 0 prints.

    An error that all ranks raise is raised by rank 0 alone; one of this rank alone ends all of them.
    """
    import typer

    from glassnet.errors import GlassnetError, InputError, RankError
    from glassnet.runtime.ranks import Ranks, launched

    if (count := launched()) < 2:
        yield None
        return
    end_with_parent(signal.SIGKILL)
    if wanted is not None and wanted != count:
        raise InputError(tr("MPI has started another number of ranks."), where="--ranks", expected=count, received=wanted)
    try:
        ranks = Ranks()
    except InputError:
        if os.environ.get("PMI_RANK", "0") != "0":
            raise typer.Exit(2) from None
        raise
    output, errors = sys.stdout, sys.stderr
    if not ranks.writes:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  until the process ends
    try:
        yield ranks
        ranks.leave()
    except (typer.Exit, KeyboardInterrupt) as end:
        ranks.leave()
        if ranks.writes:
            raise
        raise typer.Exit(getattr(end, "exit_code", 130)) from None
    except BaseException as error:
        code = _code(error)
        if isinstance(error, GlassnetError) and not isinstance(error, RankError) and ranks.all_failed(ALIKE):
            if ranks.writes:
                raise
            raise typer.Exit(code) from None
        time.sleep(PASSING if _report(error, ranks, errors) else ALIKE)
        output.flush()
        ranks.abort(code)


def _code(error: BaseException) -> int:
    """The exit code of an error: 2 for wrong input."""
    from glassnet.errors import GlassnetError, RankError, UnfinishedError

    return 2 if isinstance(error, GlassnetError) and not isinstance(error, (UnfinishedError, RankError)) else 1


def _report(error: BaseException, ranks: Ranks, errors: Any) -> bool:
    """Say on stderr what ended this rank, and return True. One that waited is silent if another has reported."""
    import traceback

    from glassnet.cli.console import shown
    from glassnet.errors import GlassnetError, RankError

    if isinstance(error, RankError):
        time.sleep(TURN * ranks.rank)
    if not ranks.first_to_report() and isinstance(error, RankError):
        return False
    if isinstance(error, (GlassnetError, MemoryError)):
        text = "\n".join([str(error), *getattr(error, "__notes__", [])])
    else:
        text = "".join(traceback.format_exception(error)).rstrip()
    print(shown(f"glassnet: rank {ranks.rank}: {text}", errors), file=errors, flush=True)
    return True
