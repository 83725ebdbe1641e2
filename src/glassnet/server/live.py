"""The page of a training, served by a process of its own: `python -m glassnet.server.live FOLDER FD`, started by `watch`.

It reads the run's files and writes one: the request to stop. On standard input it is told how the training goes on:
"trained" when the weights are final, "done" when the report is written; the end of the input says that the training's
process is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from glassnet.experiment.live import STOP
from glassnet.experiment.recipe import load_recipe
from glassnet.experiment.run_folder import RECIPE, REPORT
from glassnet.server.board import Board
from glassnet.server.guard import Guard, Rules
from glassnet.server.live_page import live_page

STREAMS = 5  # open at once: a browser allows six connections to one host, and the sixth is for everything else
RETRY = 1000  # milliseconds until a browser opens a stream again that was closed for another tab
ARRIVING, LINGER = 30.0, 600.0  # seconds after the training: for a first tab, and for tabs to be looked at again
NOTHING_NEW = 15.0  # seconds until a stream is written to, by which a closed one is noticed


class LiveApp:
    """The routes, the open streams, and the tabs that have not been closed, hidden or not."""

    def __init__(self, folder: Path, board: Board, page: str) -> None:
        self.folder, self.board, self.page = folder, board, page
        self.tabs: set[str] = set()
        self.had_tabs = False
        self.streams: list[asyncio.Event] = []  # set: to be closed
        routes = [
            Route("/", self.show),
            Route("/events", self.events),
            Route("/report.html", self.report),
            Route("/stop", self.stop, methods=["POST"]),
            Route("/leave", self.leave, methods=["POST"]),
        ]
        self.asgi = Guard(Starlette(routes=routes), Rules(most_bytes=1000, most_waiting=100_000))

    async def show(self, request: Request) -> Response:
        return HTMLResponse(self.page)

    async def report(self, request: Request) -> Response:
        path = self.folder / REPORT
        if not path.is_file():
            return PlainTextResponse("There is no report yet.", 404)
        return FileResponse(path)

    async def stop(self, request: Request) -> Response:
        """Ask the training to end after this epoch."""
        if self.board.is_training:
            (self.folder / STOP).touch()
            self.board.look()
        return Response(status_code=204)

    async def leave(self, request: Request) -> Response:
        """A tab was closed."""
        self.tabs.discard(request.query_params.get("tab", ""))
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        tab = request.query_params.get("tab", "")[:40]
        self.tabs.add(tab)
        self.had_tabs = True
        for oldest in self.streams[: len(self.streams) + 1 - STREAMS]:
            oldest.set()
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    async def _stream(self) -> AsyncIterator[str]:
        """The sections that this stream has not sent yet, whenever there are some."""
        closed = asyncio.Event()
        self.streams.append(closed)
        sent: dict[str, int] = {}
        try:
            yield f"retry: {RETRY}\n\n"
            while not closed.is_set():
                news = {name: text for name, (version, text) in self.board.sections.items() if sent.get(name) != version}
                sent = {name: version for name, (version, _) in self.board.sections.items()}
                if news:
                    yield "data: {" + ",".join(f"{json.dumps(name)}:{text}" for name, text in news.items()) + "}\n\n"
                elif not await self.board.changed(closed, NOTHING_NEW):
                    yield ": still here\n\n"
        finally:
            self.streams.remove(closed)

    def close(self) -> None:
        for stream in self.streams:
            stream.set()

    def is_over(self) -> bool:
        """Whether the process may end: the training's has, and its page is open nowhere, or was left alone for long."""
        if self.board.ended is None:
            return False
        since = time.monotonic() - self.board.ended
        waiting = (ARRIVING if not self.had_tabs else LINGER if self.tabs else 0.0) if self.board.phase != "broken" else 5.0
        return since > waiting


async def serve(folder: Path, listening: socket.socket) -> None:
    import uvicorn

    board = Board(folder)
    app = LiveApp(folder, board, live_page(load_recipe(folder / RECIPE).heading, str(folder)))
    server = uvicorn.Server(
        uvicorn.Config(app.asgi, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    )
    loop = asyncio.get_running_loop()
    threading.Thread(target=_listen, args=(loop, board), daemon=True).start()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    with contextlib.suppress(OSError):  # a training waits for this word for some seconds only
        print("ready", flush=True)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)  # from here on the training comes first; threads that are started now have it, too
    watching = asyncio.create_task(board.run())
    while not app.is_over() and not serving.done():
        await asyncio.sleep(0.2)
    app.close()
    server.should_exit = True
    await serving
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


def _listen(loop: asyncio.AbstractEventLoop, board: Board) -> None:
    """Pass on what the training's process says, and that it is gone."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(board.tell, line.strip())
    loop.call_soon_threadsafe(board.tell, "gone")


def main(arguments: list[str]) -> None:
    os.environ["GLASSNET_THREADS"] = "1"
    folder, handle = Path(arguments[0]), int(arguments[1])
    asyncio.run(serve(folder, socket.socket(fileno=handle)))
    os._exit(0)  # a diagnosis that is still being made in a thread is not waited for


if __name__ == "__main__":
    main(sys.argv[1:])
