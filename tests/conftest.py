"""What many tests share: central differences, relative errors, small data, and Hypothesis without a clock."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# New examples each time, in CI too, where Hypothesis by itself would repeat the same; nothing that a busy machine could fail.
settings.register_profile(
    "glassnet", deadline=None, derandomize=False, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("glassnet")

Array = np.ndarray[Any, Any]

os.environ["GLASSNET_LANG"] = "en"  # tests compare English texts, whatever the language of the machine


def pytest_configure(config: pytest.Config) -> None:
    """Compile the kernels once, before workers start and before any test looks at what is printed."""
    if not hasattr(config, "workerinput"):
        from glassnet.kernels.library import compile_all

        compile_all()


@pytest.fixture(scope="module")  # the driver keeps an event loop running: not for longer than needed
def browser() -> Iterator[Any]:
    """A Chromium without a window; tests that need it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright, which drives the browser, is not installed")
    from tests.install_browser import launch

    with playwright.sync_playwright() as driver:
        opened = launch(driver)
        if opened is None:
            pytest.skip("there is no Chromium on this machine: python -m tests.install_browser looks for one")
        yield opened
        opened.close()


def _central_differences(cost: Callable[[], float], w: Array, epsilon: float = 1e-5) -> Array:
    """∂cost/∂w for every element of the float64 array w, which is changed and put back."""
    flat, found = w.reshape(-1), np.empty(w.size)
    assert np.shares_memory(flat, w)
    for i in range(w.size):
        kept = flat[i]
        flat[i] = kept + epsilon
        above = cost()
        flat[i] = kept - epsilon
        found[i] = (above - cost()) / (2 * epsilon)
        flat[i] = kept
    return found.reshape(w.shape)


def _relative_error(found: Array, wanted: Array) -> float:
    """‖a − b‖ / (‖a‖ + ‖b‖), 0 where both are zero."""
    assert found.shape == wanted.shape
    size = float(np.linalg.norm(found) + np.linalg.norm(wanted))
    return float(np.linalg.norm(found - wanted)) / size if size else 0.0


@pytest.fixture(scope="session")
def central_differences() -> Callable[..., Array]:
    return _central_differences


@pytest.fixture(scope="session")
def relative_error() -> Callable[[Array, Array], float]:
    return _relative_error


@pytest.fixture(scope="session")
def blobs() -> tuple[Array, Array]:
    """Three overlapping clouds of 90 points in 6 dimensions, float32: quickly learnt, never perfectly."""
    rng = np.random.default_rng(7)
    labels = np.arange(90) % 3
    centres = rng.standard_normal((3, 6))
    return (centres[labels] + 0.8 * rng.standard_normal((90, 6))).astype(np.float32), labels


class _ChinesePage(HTMLParser):
    """The texts that a page shows when it is switched to Chinese, code left out."""

    HIDDEN = ("style", "script", "pre", "title")
    VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self._open: list[tuple[str, bool]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        english = tag != "html" and (found.get("class") == "en" or found.get("lang") == "en")
        if tag not in self.VOID:
            self._open.append((tag, english or tag in self.HIDDEN))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self._open):
            self.texts.append(data.strip())


def _english_left(text: str) -> list[str]:
    """What stays English on a page in Chinese: texts of two words or more without a Chinese character, or plain words."""
    shown = [text for text in _ChinesePage(text).texts if not re.search(r"[一-鿿]", text)]
    return [text for text in shown if re.search(r"[A-Za-z]{2,}[ :,;]+[a-z]{2,}", text) or re.fullmatch(r"[a-z]{3,}", text)]


@pytest.fixture(scope="session")
def english_left() -> Callable[[str], list[str]]:
    return _english_left
