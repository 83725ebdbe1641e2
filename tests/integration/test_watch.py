"""`glassnet train --watch`: the page in a browser, many tabs of it, and the request to stop."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.page import WAYS, axe_violations
from tests.waiting import SOON, until

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the socket is handed over as POSIX does")

LONG = ["digits", "--epochs", "100000", "--set", "patience=100000", "--seed", "3"]


class Watched:
    """A training in a process of its own, with its page."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.lines = folder, list[str]()
        environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "glassnet", "train", *arguments, "--watch"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                self.address = found[0]
                break
        else:
            raise AssertionError("".join(self.lines))

    def end(self) -> int:
        """The exit code."""
        assert self.process.stdout is not None
        with self.process.stdout:
            self.lines += self.process.stdout.readlines()
        return self.process.wait()

    def is_served(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", urlsplit(self.address).port), 5):
            return True
        return False


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path / "run", *LONG, "--out", str(tmp_path / "run"))
    yield found
    if found.process.stdout is not None and not found.process.stdout.closed:
        found.process.send_signal(signal.SIGINT)
        found.end()


def epoch_shown(page: Any) -> int:
    return int(page.locator(".card b").first.inner_text()) if page.locator(".card b").count() else 0


def test_seven_tabs_a_stop_and_what_stays(browser: Any, watched: Watched) -> None:
    context = browser.new_context(locale="en-GB")
    pages = [context.new_page() for _ in range(7)]
    faults: list[str] = []
    for page in pages:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(watched.address)
    for page in pages:  # all of them are visible: more than a browser has connections for
        page.wait_for_selector("#loss svg path", timeout=1000 * SOON)
    before = [epoch_shown(page) for page in pages]
    for page, epoch in zip(pages, before, strict=True):
        until(lambda page=page, epoch=epoch: epoch_shown(page) > epoch + 20)
    first = pages[0]
    first.wait_for_selector("#units canvas", timeout=1000 * SOON)
    first.wait_for_selector("#findings .how", timeout=1000 * SOON)
    assert first.locator("#units canvas").count() == 30
    drawn = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
    assert first.locator("#units canvas").first.evaluate(drawn) > 20
    assert {"dense1", "dense2"} <= set(first.locator("#health th").all_inner_texts())

    first.click("#stop")
    assert watched.end() == 0
    out = "".join(watched.lines)
    assert "Training ended early: stopped after epoch" in out
    last = json.loads((watched.folder / "history.jsonl").read_text().splitlines()[-1])
    assert last["stopped"]["reason"] == "request"
    for page in pages:
        page.wait_for_selector("#report:visible", timeout=1000 * SOON)
        assert re.search(r"stopped after epoch \d+", page.locator("#text").inner_text())
        assert epoch_shown(page) == last["stopped"]["epoch"]
        assert not page.locator("#stop").is_visible()
    with context.expect_page() as opened:
        first.click("#report")
    opened.value.wait_for_load_state()
    assert opened.value.locator("h1").inner_text() == first.locator("h1").inner_text()
    assert faults == []
    assert watched.is_served()
    for page in pages:
        page.goto("about:blank")  # as by closing the tab
    until(lambda: not watched.is_served())
    context.close()


def test_a_hidden_tab_has_no_stream_and_a_shown_one_is_up_to_date(browser: Any, watched: Watched) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(watched.address)
    until(lambda: epoch_shown(page) > 3)
    show = """hidden => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(show, True)
    page.wait_for_timeout(300)
    before = epoch_shown(page)
    page.wait_for_timeout(2500)
    assert epoch_shown(page) == before
    page.evaluate(show, False)
    until(lambda: epoch_shown(page) > before)
    watched.process.send_signal(signal.SIGINT)
    assert watched.end() == 130
    until(lambda: "glassnet train --resume" in page.inner_text("#text"))
    context.close()
    until(lambda: not watched.is_served())


ASKED = [
    ("POST", "stop", {"Origin": "http://evil.example"}, 403),
    ("POST", "stop", {"Sec-Fetch-Site": "cross-site"}, 403),
    ("POST", "stop", {"Host": "evil.example"}, 403),
    ("GET", "stop", {}, 405),
    ("GET", "events", {"Host": "evil.example"}, 403),
    ("GET", "report.html", {}, 404),
    ("GET", "recipe.toml", {}, 404),
]


def test_a_page_that_starts_slowly_is_served_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import glassnet as gn
    from glassnet.server import watch

    monkeypatch.setattr(watch, "STARTING", 0.0)  # the training does not wait for it at all
    page = watch.Watch(lambda text: None, lambda address: None)
    gn.train("digits", epochs=2, out=tmp_path / "run", watch=page)
    with urllib.request.urlopen(page.address, timeout=SOON) as answer:
        assert answer.status == 200
    assert page.process is not None
    with pytest.raises(subprocess.TimeoutExpired):
        page.process.wait(1)
    page.process.kill()
    page.leave()


def test_who_may_ask_what(watched: Watched) -> None:
    for method, path, headers, code in ASKED:
        request = urllib.request.Request(watched.address + path, headers=headers, method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=SOON)
        with refused.value as answer:
            assert (method, path, headers, answer.code) == (method, path, headers, code)
    assert not (watched.folder / "stop-after-epoch").exists()


def test_axe_finds_no_violation_during_and_after_a_training(browser: Any, watched: Watched) -> None:
    contexts, pages = [], []
    for width, theme, locale in WAYS:
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, locale=locale, color_scheme=theme, reduced_motion="reduce"))
        pages.append(contexts[-1].new_page())
        pages[-1].goto(watched.address)

    def check() -> None:
        for page in pages:
            assert axe_violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    for page in pages:
        page.wait_for_selector("#units canvas", timeout=1000 * SOON)
    check()
    pages[0].click("#stop")
    assert watched.end() == 0
    for page in pages:
        page.wait_for_selector("#report:visible", timeout=1000 * SOON)
    check()
    english = pages[1].evaluate("document.querySelector('main').innerText")
    assert not re.search(r"[A-Za-z]{2,} [a-z]{2,}", re.sub(r"\S*/\S*", "", english)), english
    for context in contexts:
        context.close()


def test_a_page_that_crashes_does_not_hurt_the_training(tmp_path: Path) -> None:
    import glassnet as gn
    from glassnet.server.watch import Watch

    addresses: list[str] = []
    page = Watch(lambda text: None, addresses.append)

    def kill(progress: Any, epoch: Any) -> None:
        if epoch.epoch == 2:
            assert page.process is not None
            page.process.kill()

    run = gn.train("digits", epochs=6, seed=3, out=tmp_path / "run", watch=page, callbacks=[kill])
    page.done()
    assert len(run.history) == 6
    assert addresses == [page.address]
