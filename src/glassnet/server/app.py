"""The app: its routes, and what they do with a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from glassnet.data.prepare import Prepared
from glassnet.experiment.prepare import Mode
from glassnet.nn.confusion import leading
from glassnet.server import schema
from glassnet.server.access_log import AccessLog
from glassnet.server.batches import Batches
from glassnet.server.bodies import TYPES, images_in
from glassnet.server.guard import App, Guard, Rules, busy
from glassnet.server.problems import Refused, problem
from glassnet.server.served import Served, is_quick
from glassnet.support.i18n import tr

LONGEST = 30.0  # seconds for an answer
MOST_SLOW = 8  # requests with large images that wait for the thread that prepares them
QUICK_JSON = 1 << 13  # bytes: an array of 28 × 28
Result = TypeVar("Result")


def make_app(
    served: Mapping[str, Served], page: str | None = None, rules: Rules | None = None, *, quiet: bool = False
) -> App:
    """The whole service for these networks, guarded by `rules`; `page`: the HTML that GET / answers."""
    return AccessLog(Guard(make_api(served, page), rules or Rules()), quiet=quiet)


def make_api(served: Mapping[str, Served], page: str | None = None) -> FastAPI:
    """The routes alone, without a guard."""
    api = FastAPI(
        title="glassnet",
        version="1",
        description="Networks that classify images.",
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    api.add_exception_handler(Refused, _refuse)
    api.add_exception_handler(HTTPException, _explain)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(ClientDisconnect, _gone)
    first, names = next(iter(served)), list(served)
    thread = ThreadPoolExecutor(1, "predict")
    batches = {name: Batches(one.answer, thread, 1 if one.views else 64) for name, one in served.items()}
    slow = SlowThreads()

    @api.get("/api/health", responses={200: {"model": schema.Health}})
    async def health() -> Response:
        """Whether the service answers; needs no token."""
        return JSONResponse({"status": "ok"})

    described = {"runs": [one.describe() for one in served.values()]}

    @api.get("/api/model", response_model=schema.Models, responses=_problems(400, 401, 403))
    async def model() -> Response:
        """The networks that are served."""
        return JSONResponse(described)

    @api.post(
        "/api/predict",
        response_model=schema.Predictions,
        responses=_problems(*schema.PROBLEMS),
        openapi_extra={"requestBody": schema.PREDICT_BODY},
    )
    async def predict(
        request: Request,
        run: str | None = Query(  # not in Annotated, which could not name `names`
            None, description="Which network; the first if left out.", json_schema_extra={"enum": names}
        ),
        prepare: Annotated[
            Mode,
            Query(description="Find the ink in images unlike the training images (auto), always (ink), only resize (none)."),
        ] = "auto",
        top: Annotated[
            int | Literal["all"] | None,
            Query(description="How many classes, the most probable first; by default all, but of more than 60 classes 10."),
        ] = None,
    ) -> Response:
        """Classify an image (PNG, JPEG, or an array in JSON), or a batch in JSON. Nothing of it is kept."""
        chosen = served.get(first if run is None else run)
        if chosen is None:
            raise Refused(422, tr("There is no such run here."), where="run", expected=" | ".join(names), received=run)
        if isinstance(top, int) and top < 1:
            what = tr("So many classes can't be listed.")
            raise Refused(422, what, where="top", expected=tr("1 or more, or all"), received=top)
        kind = _body_type(request)
        try:
            async with asyncio.timeout(None) as limit:
                body = await request.body()
                limit.reschedule(asyncio.get_running_loop().time() + LONGEST)
                work = partial(_prepared, chosen, kind, body, prepare)
                images = work() if _is_quick(kind, body) else await slow(work)
                answers = await batches[chosen.name](images)
        except TimeoutError:
            raise busy(tr("The answer took longer than {seconds:g} s.", seconds=LONGEST)) from None
        except MemoryError:
            raise busy(tr("There is not enough memory for this request now.")) from None
        for number, answer in enumerate(answers):
            if isinstance(answer, Refused):
                answer.where = f"images[{number}]" if len(answers) > 1 else "image"
                raise answer
        many = len(chosen.network.classes) if top == "all" else top
        told = [{**answer, "probabilities": leading(answer["probabilities"], many)} for answer in answers]
        return JSONResponse({"run": chosen.name, "predictions": told})

    if page is not None:

        @api.get("/", include_in_schema=False)
        async def show() -> Response:
            return HTMLResponse(page)

    return api


class SlowThreads:
    """Two threads for what takes longer than the event loop may stop, so that few large images are in memory at once."""

    def __init__(self) -> None:
        self._thread, self._waiting = ThreadPoolExecutor(2, "prepare"), 0

    async def __call__(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= MOST_SLOW:
            raise busy(tr("Too many large images wait to be read."))
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        future.add_done_callback(self._done)
        return await asyncio.shield(future)  # what runs in a thread goes on; it counts until it ends

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # seen, even where nobody waits any more


def _prepared(served: Served, kind: str, body: bytes, mode: Mode) -> list[Prepared]:
    images = images_in(kind, body)
    several = len(images) > 1
    return [served.prepare(image, mode, f"images[{n}]" if several else "image") for n, image in enumerate(images)]


def _is_quick(kind: str, body: bytes) -> bool:
    """Whether it is read and prepared quicker than it would be handed to a thread and back."""
    return is_quick(body) if kind != TYPES[-1] else len(body) <= QUICK_JSON


def _body_type(request: Request) -> str:
    """The type of the body, one of `TYPES`."""
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in TYPES or request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(
            415,
            tr("A body of this type can't be read."),
            where="Content-Type",
            expected=" | ".join(TYPES),
            received=given or tr("nothing"),
            hint=tr("without a Content-Encoding") if kind in TYPES else None,
        )
    return kind


def _problems(*statuses: int | str) -> dict[int | str, dict[str, Any]]:
    return {status: schema.PROBLEMS[status] for status in statuses}


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it, but the log is


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse(problem(error), error.status, error.headers)


async def _explain(request: Request, error: Exception) -> Response:
    """What the framework refuses: a path or a method that there is none of."""
    assert isinstance(error, HTTPException)
    expected = "GET /api/health | GET /api/model | POST /api/predict | GET /api/openapi.json"
    received = f"{request.method} {request.url.path}"
    what = tr("There is nothing at this address.") if error.status_code == 404 else tr("This can't be asked here.")
    told = Refused(error.status_code, what, where="the request", expected=expected, received=received)
    return JSONResponse(problem(told), error.status_code, dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    told = Refused(
        422,
        tr("A parameter of the request is not what it should be."),
        where=".".join(map(str, first["loc"])),
        expected=first["msg"],
        received=repr(first.get("input")),
    )
    return JSONResponse(problem(told), 422)
