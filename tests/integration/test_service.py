"""The service in this process: what it answers, what it refuses, and that nothing makes it fail."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import threading
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import glassnet as gn
from benchmarks.mangling import mangled
from glassnet.cli.console import run_app
from glassnet.cli.main import app as commands
from glassnet.data import read_digits
from glassnet.data.prepare import Prepared
from glassnet.errors import RunError
from glassnet.server import app as service
from glassnet.server.app import make_app
from glassnet.server.batches import Batches
from glassnet.server.bodies import MOST_LISTS
from glassnet.server.guard import Rules
from glassnet.server.problems import Refused
from glassnet.server.served import Served, load

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the digits; not to be changed."""
    made = tmp_path_factory.mktemp("service") / "digits"
    gn.train("digits", epochs=3, out=made)
    return made


@pytest.fixture(scope="module")
def served(folder: Path) -> dict[str, Served]:
    return load([folder])


@pytest.fixture(scope="module")
def digits() -> Array:
    test = read_digits().test
    assert test is not None
    return np.asarray(test.images[:20])


def encoded(image: Array, kind: str = "png", **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, kind, **options)
    return file.getvalue()


class Client:
    """Asks an app as over HTTP, but without a connection."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.all([(method, path, options)])[0]

    def all(self, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """Several at once."""

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                return await asyncio.gather(*(client.request(m, path, **options) for m, path, options in requests))

        return asyncio.run(ask())

    def predict(self, body: bytes | Any, kind: str = "image/png", **query: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", "/api/predict", content=content, headers={"content-type": kind}, params=query)

    def refused(self, status: int, body: Any, kind: str = "application/json", **query: str) -> dict[str, Any]:
        answer = self.predict(body, kind, **query)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        found = dict(answer.json())
        assert set(found) == {"what", "where", "expected", "received", "hint"}
        return found


@pytest.fixture
def client(served: dict[str, Served]) -> Client:
    return Client(make_app(served, quiet=True))


# ------------------------------------------------------------------ answers


def test_answers_are_those_of_predict(
    client: Client, folder: Path, digits: Array, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Small images, a drawing and a photograph of another size, and a blank one; PNG and JPEG, and each way to prepare."""
    large = np.full((90, 70), 255, np.uint8)
    large[20:70, 30:38] = 10
    images = {"small.png": encoded(digits[0]), "large.png": encoded(large), "blank.png": encoded(np.full_like(large, 255))}
    images["large.jpg"] = encoded(large, "jpeg")
    for name, content in images.items():
        (tmp_path / name).write_bytes(content)
    for mode in ("auto", "ink", "none"):
        capsys.readouterr()
        paths = [str(tmp_path / name) for name in images]
        assert run_app(commands, ["predict", str(folder), *paths, "--prepare", mode, "--json"]) == 0
        wanted = json.loads(capsys.readouterr().out)
        for (name, content), row in zip(images.items(), wanted, strict=True):
            answer = client.predict(content, "image/jpeg" if name.endswith("jpg") else "image/png", prepare=mode)
            assert answer.status_code == 200, answer.text
            (found,) = answer.json()["predictions"]
            del row["file"]
            assert {**found, "probabilities": None, "novelty": None} == {**row, "probabilities": None, "novelty": None}
            assert found["probabilities"] == pytest.approx(row["probabilities"], abs=2e-6)
            assert found["novelty"] == pytest.approx(row["novelty"], abs=2e-3)


def test_arrays_files_and_batches_are_answered_alike(client: Client, digits: Array) -> None:
    one = client.predict(encoded(digits[0])).json()["predictions"][0]
    rows = digits[0, :, :, 0].tolist()
    text = base64.b64encode(encoded(digits[0])).decode()
    batch = {"images": [rows, digits[0].tolist(), text, digits[1, :, :, 0].tolist()]}
    found = client.predict(batch, "application/json; charset=utf-8").json()["predictions"]
    assert [one["class"]] * 3 == [answer["class"] for answer in found[:3]]
    for answer in (*found[:3], client.predict(rows, "application/json").json()["predictions"][0]):
        assert answer["probabilities"] == pytest.approx(one["probabilities"], abs=2e-6)
    assert found[3]["probabilities"] != pytest.approx(one["probabilities"], abs=1e-3)


def test_numbers_of_the_network_s_own_shape_are_taken_as_they_are(
    client: Client, served: dict[str, Served], digits: Array
) -> None:
    values = (digits[3].astype(np.float64) / 255).tolist()
    (found,) = client.predict(values, "application/json").json()["predictions"]
    wanted = served["digits"].network.predict_proba(np.asarray([values], np.float32))[0]
    assert list(found["probabilities"].values()) == pytest.approx(wanted.tolist(), abs=2e-6)
    assert found["prepared"]["kind"] == "unchanged"
    mixed = client.predict({"images": [values, digits[3].tolist()]}, "application/json").json()["predictions"]
    assert mixed[0]["index"] == mixed[1]["index"] == found["index"]


def test_many_at_once_get_their_own_answers(client: Client, served: dict[str, Served], digits: Array) -> None:
    wanted = served["digits"].network.predict_proba(digits)
    options = [{"content": encoded(image), "headers": {"content-type": "image/png"}} for image in digits]
    answers = client.all([("POST", "/api/predict", option) for option in options * 5])
    for number, answer in enumerate(answers):
        (found,) = answer.json()["predictions"]
        assert list(found["probabilities"].values()) == pytest.approx(wanted[number % len(digits)].tolist(), abs=2e-6)


def test_model_and_health_and_the_page(served: dict[str, Served]) -> None:
    client = Client(make_app(served, page="<!doctype html><title>Page</title>", quiet=True))
    (model,) = client("GET", "/api/model").json()["runs"]
    network = served["digits"].network
    assert (model["name"], model["recipe"]) == ("digits", "digits")
    assert model["classes"] == list(network.classes)
    assert (model["input_shape"], model["parameters"]) == ([8, 8, 1], network.parameters.size)
    assert model["novelty"]["validated"] > 0
    assert model["ink"] is True
    assert client("GET", "/api/health").json() == {"status": "ok"}
    page = client("GET", "/")
    assert page.text.endswith("Page</title>")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["x-frame-options"] == "DENY"


def test_runs_of_one_name_are_told_apart(folder: Path, tmp_path: Path, digits: Array) -> None:
    shutil.copytree(folder, tmp_path / "a" / "digits")
    other = gn.Network([64, 5, 10], input_shape=(8, 8, 1), seed=1)
    other.save(tmp_path / "digits.safetensors")
    served = load([folder, tmp_path / "a" / "digits", tmp_path / "digits.safetensors"])
    assert list(served) == ["digits", "digits-2", "digits-3"]
    client = Client(make_app(served, quiet=True))
    answers = [client.predict(encoded(digits[0]), **query).json() for query in ({}, {"run": "digits-2"}, {"run": "digits-3"})]
    assert [answer["run"] for answer in answers] == list(served)
    first, second, third = (answer["predictions"][0]["probabilities"] for answer in answers)
    assert first == second != third
    assert answers[2]["predictions"][0]["novel"] is None
    wrong = client.refused(422, encoded(digits[0]), "image/png", run="digits-4")
    assert wrong == {
        "what": "There is no such run here.",
        "where": "run",
        "expected": "digits | digits-2 | digits-3",
        "received": "digits-4",
        "hint": None,
    }


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        load([tmp_path])


# ------------------------------------------------------------------ refusals


def bomb() -> bytes:
    """A PNG file of a few kilobytes that says that it is 20000 × 20000 pixels large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (20000).to_bytes(4, "big")
    header = chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(2_000_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("status", "body", "kind", "what"),
    [
        (415, b"a", "text/plain", "A body of this type can't be read."),
        (415, b"a", "image/gif", "A body of this type can't be read."),
        (415, b"a", "multipart/form-data; boundary=x", "A body of this type can't be read."),
        (413, bomb(), "image/png", "The image is too large to be opened safely."),
        (422, b"", "image/png", "This is not a PNG or JPEG file."),
        (422, b"GIF89a", "image/png", "This is not a PNG or JPEG file."),
        (422, b"\x89PNG\r\n\x1a\n", "image/png", "The file is not an image."),
        (422, b"", "application/json", "The body is not JSON."),
        (422, b"[1, NaN]", "application/json", "The body is not JSON."),
        (422, b"\xff", "application/json", "The body is not JSON."),
        (422, b"[" * 100_000, "application/json", "The body is not JSON."),
        (413, b"[" * (MOST_LISTS + 1), "application/json", "The JSON is too large."),
        (422, b"1" * 10_000, "application/json", "The body is not JSON."),
        (413, b" " * (5 << 20), "application/json", "The JSON is too large."),
        (422, {"image": []}, "application/json", "This is not what an image is sent as."),
        (422, {"images": []}, "application/json", "This is not what an image is sent as."),
        (422, {"images": [3]}, "application/json", "This is not what an image is sent as."),
        (422, {"images": ["?"]}, "application/json", "This text is not an image in base64."),
        (422, {"images": [""]}, "application/json", "This is not a PNG or JPEG file."),
        (422, {"images": [[[0]]] * 65}, "application/json", "These are too many images for one request."),
        (422, 3, "application/json", "This is not what an image is sent as."),
        (422, [], "application/json", "This array is not an image."),
        (422, [[1, 2], [3]], "application/json", "This array is not an image."),
        (422, [["a"]], "application/json", "This array is not an image."),
        (422, [[True]], "application/json", "This array is not an image."),
        (422, [[None]], "application/json", "This array is not an image."),
        (422, [[10**400]], "application/json", "This array is not an image."),
        (422, [[256, 0]], "application/json", "The array does not have the model's input shape."),
        (422, [[-1, 0]], "application/json", "The array does not have the model's input shape."),
        (422, [1.5, 2.5], "application/json", "The array does not have the model's input shape."),
        (422, [[100.5] * 8] * 8, "application/json", None),
        (422, [[1e300] * 8] * 8, "application/json", None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_refused(client: Client, status: int, body: Any, kind: str, what: str | None) -> None:
    found = client.refused(status, body, kind)
    assert found["what"] == (what or found["what"])
    assert found["where"]
    assert found["expected"]


def test_the_image_of_a_batch_that_is_wrong_is_named(client: Client, digits: Array) -> None:
    good = digits[0].tolist()
    assert client.refused(422, {"images": [good, good, [["x"]]]})["where"] == "images[2]"


def test_other_paths_methods_and_parameters(client: Client, digits: Array) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/api/predict", 405), ("DELETE", "/api/model", 405)):
        answer = client(method, path)
        assert answer.status_code == status
        assert answer.json()["received"] == f"{method} {path}"
    assert client("GET", "/api/predict").headers["allow"] == "POST"
    assert client("GET", "/docs").status_code == 404  # it would load scripts from elsewhere
    wrong = client.refused(422, encoded(digits[0]), "image/png", prepare="always")
    assert (wrong["where"], wrong["received"]) == ("query.prepare", "'always'")


def test_the_guard_stands_before_it(served: dict[str, Served], digits: Array) -> None:
    client = Client(make_app(served, rules=Rules(token="sixteen-letters-", most_bytes=100), quiet=True))
    body = {"content": encoded(digits[0]), "headers": {"content-type": "image/png"}}
    assert client("POST", "/api/predict", **body).status_code == 401
    body["headers"]["authorization"] = "Bearer sixteen-letters-"
    assert client("POST", "/api/predict", **body).status_code == 413
    body["headers"]["origin"] = "http://evil.example"
    assert client("POST", "/api/predict", **body).status_code == 403
    body["headers"]["host"] = "evil.example"
    assert client("POST", "/api/predict", **body).json()["where"] == "Host"
    assert client("GET", "/api/model").status_code == 401
    assert client("GET", "/api/health").status_code == 200


def test_answers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network = gn.Network([gn.Dense(3)], input_shape=(4,), loss="SoftmaxCrossEntropy", seed=1)
    network.parameters = np.linspace(-9, 9, network.parameters.size)
    network.save(tmp_path / "net.safetensors")
    client = Client(make_app(load([tmp_path / "net.safetensors"]), quiet=True))
    assert client.predict([1.0, 2.0, 3.0, 4.5], "application/json").status_code == 200
    assert client.predict([1, 2, 3, 400], "application/json").status_code == 200
    wrong = client.refused(422, [3e38, 3e38, -3e38, 3e38])
    assert wrong["what"] == "The network's answer to these numbers is not finite."
    assert client.refused(422, encoded(np.zeros((4, 4), np.uint8)), "image/png")["received"] == "an image file"


# ------------------------------------------------------------------ under strain


def test_mangled_images_are_refused_or_answered(client: Client, digits: Array) -> None:
    """Hundreds of damaged PNG and JPEG files and JSON texts: never a 5xx, never an exception."""
    sources = [(encoded(image), "image/png") for image in digits[:3]]
    sources += [(encoded(image, "jpeg"), "image/jpeg") for image in digits[:3]]
    sources += [(json.dumps({"images": [digits[0, :, :, 0].tolist()]}).encode(), "application/json")]
    statuses = set()
    for seed in range(420):
        content, kind = sources[seed % len(sources)]
        answer = client.predict(mangled(content, seed, text=kind == "application/json"), kind)
        assert answer.status_code in (200, 413, 422), (seed, answer.text)
        statuses.add(answer.status_code)
    assert {200, 422} <= statuses


@pytest.mark.filterwarnings("ignore")  # of schemathesis itself
def test_requests_drawn_from_the_openapi_description(served: dict[str, Served]) -> None:
    """Valid and invalid requests: never a 5xx, and answers are those that the description promises."""
    import schemathesis
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    promised = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
        checks.negative_data_rejection,
    ]
    headers = {"host": "localhost"}
    api = schemathesis.openapi.from_asgi("/api/openapi.json", make_app(served, quiet=True), headers=headers)
    tried: Counter[str] = Counter()
    for found in api.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and operation.method != "post":
                continue  # they have no parameters that could be wrong

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None)
            def ask(case: Any) -> None:
                answer = case.call(headers=headers)
                tried[f"{case.method} {answer.status_code}"] += 1
                case.validate_response(answer, checks=promised)

            ask()
    assert tried["GET 200"] >= 2
    assert tried["POST 422"] >= 20


def test_large_images_wait_beside_the_event_loop(
    client: Client, served: dict[str, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is read, small ones are answered; more than a few that wait are refused."""
    held, go = threading.Event(), threading.Event()
    prepare = Served.prepare

    def slow(self: Served, image: Any, mode: Any, where: str) -> Prepared:
        if isinstance(image, bytes) and len(image) > 1000:
            held.set()
            go.wait(30)
        return prepare(self, image, mode, where)

    monkeypatch.setattr(Served, "prepare", slow)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    big = {"content": encoded(noise), "headers": {"content-type": "image/png"}}
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(client.all, [("POST", "/api/predict", big)] * (service.MOST_SLOW + 3))
        assert held.wait(30)
        try:
            small = Client(client.app).predict(encoded(noise[:8, :8]))
            assert small.status_code == 200
        finally:
            go.set()
        statuses = [answer.status_code for answer in waiting.result(60)]
    assert sorted(statuses) == [200] * service.MOST_SLOW + [503] * 3


def test_answers_that_take_too_long(served: dict[str, Served], digits: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LONGEST", 0.05)
    go = threading.Event()
    monkeypatch.setattr(Served, "answer", lambda self, images: go.wait(30))
    found = Client(make_app(served, quiet=True)).refused(503, encoded(digits[0]), "image/png")
    go.set()
    assert found["what"] == "The answer took longer than 0.05 s."


def test_what_fails_is_logged_and_not_told(
    served: dict[str, Served], digits: Array, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: Served, images: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Served, "answer", fail)
    answer = Client(make_app(served, quiet=True)).predict(encoded(digits[0]))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    logged = json.loads(capsys.readouterr().err)
    assert (logged["status"], logged["path"]) == (500, "/api/predict")
    assert logged["error"].startswith("ZeroDivisionError: secret (")


def test_requests_are_logged_without_their_query(served: dict[str, Served], capsys: pytest.CaptureFixture[str]) -> None:
    Client(make_app(served))("GET", "/api/health?token=secret")
    Client(make_app(served))("GET", "/a%0a%7b")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert {**first, "time": None, "ms": None} == {
        "time": None,
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/api/health",
        "status": 200,
        "ms": None,
        "received": 0,
        "sent": 15,
    }
    assert second["path"] == "/a\n{"


# ------------------------------------------------------------------ batches


def test_what_waits_is_answered_together() -> None:
    batches: list[list[int]] = []

    def answer(images: list[int]) -> list[int]:
        batches.append(images)
        return [10 * image for image in images]

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(1) as thread:
            gather = Batches(answer, thread, most=4)
            return await asyncio.gather(
                gather([1]), gather([2, 3]), gather([4]), gather([5, 6]), gather([7] * 6), gather([8])
            )

    assert asyncio.run(ask()) == [[10], [20, 30], [40], [50, 60], [70] * 6, [80]]
    assert batches == [[1], [2, 3, 4], [5, 6], [7] * 6, [8]]


def test_a_batch_that_fails_fails_those_who_asked_and_no_others() -> None:
    def answer(images: list[int]) -> list[int]:
        return [1 // image for image in images]

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(1) as thread:
            gather = Batches(answer, thread)
            first = await asyncio.gather(gather([1]), gather([0]), return_exceptions=True)
            return [*first, *await gather([1])]

    one, wrong, later = asyncio.run(ask())
    assert (one, later) == ([1], 1)
    assert isinstance(wrong, ZeroDivisionError)


def test_those_who_leave_are_not_waited_for_and_too_many_are_refused() -> None:
    go, seen = threading.Event(), []

    def answer(images: list[int]) -> list[int]:
        seen.append(images)
        go.wait(30)
        return images

    async def ask() -> None:
        with ThreadPoolExecutor(1) as thread:
            gather = Batches(answer, thread)
            first, second = asyncio.create_task(gather([1])), asyncio.create_task(gather([2]))
            await asyncio.sleep(0)
            with pytest.raises(Refused):
                await gather([3] * 5000)
            second.cancel()
            await asyncio.sleep(0)
            go.set()
            assert await first == [1]
            assert await gather([4]) == [4]

    asyncio.run(ask())
    assert seen == [[1], [4]]
