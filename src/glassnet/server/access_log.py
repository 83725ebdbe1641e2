"""One line of JSON for each request, on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from glassnet.server.guard import App, Message, Receive, Send
from glassnet.server.problems import Refused, problem_bytes
from glassnet.support.i18n import tr

LONGEST = 200  # characters of a path


class AccessLog:
    """ASGI middleware: logs time, client, method, path, status, milliseconds, bytes; not the query, which may hold a token.

    What an app raises is answered with 500 and logged with its kind and place; the client is not told more.
    """

    def __init__(self, app: App, *, quiet: bool = False) -> None:
        self.app, self.quiet = app, quiet

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, sent, got, failure = time.perf_counter(), 0, 0, 0, None

        async def count_received() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            return message

        async def count_sent(message: Message) -> None:
            nonlocal status, sent
            status = message.get("status", status)
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, count_received, count_sent)
        except Exception as error:
            failure = error
            if not status:
                await _answer_500(count_sent)
        if self.quiet and failure is None:
            return
        row: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": (scope.get("client") or ("-",))[0],
            "method": scope["method"],
            "path": scope["path"][:LONGEST],
            "status": status,
            "ms": round(1000 * (time.perf_counter() - start), 2),
            "received": got,
            "sent": sent,
        }
        if failure is not None:
            row["error"] = _place(failure)
        print(json.dumps(row), file=sys.stderr, flush=True)


async def _answer_500(send: Send) -> None:
    error = Refused(500, tr("The service failed to answer this request."), hint=tr("its log says where"))
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": problem_bytes(error)})


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {error}"[:500] + where
