"""Networks opened in a browser as the page opens them, without its shell."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.present.page.bundle import bundle
from glassnet.present.page.model import describe_network
from glassnet.present.page.write import MODULES, joined

# Width, theme and language of a page.
ALL_WAYS = list(itertools.product((390, 1440), ("light", "dark"), ("en-GB", "zh-CN")))
WAYS = [(390, "light", "en-GB"), (390, "dark", "zh-CN"), (1440, "dark", "en-GB"), (1440, "light", "zh-CN")]  # every pair
PROBE = """import { Model } from "./model.js";
import { Trainer } from "./trainer.js";
import { openBundle } from "./bundle.js";

window.Trainer = Trainer;
window.opened = (async () => {
  const { header, arrays, module } = await openBundle(document.getElementById("bundle").textContent);
  window.models = [];
  for (const entry of header.models) models.push(await Model.create(module, entry, arrays, header.context));
  return models.length;
})();
"""


def axe_violations(page: Any) -> list[tuple[str, str, str]]:
    """Of axe's rules that the page of a browser breaks: the rule, where, and what to do."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed").Axe()
    found = axe.run(page).response["violations"]
    return [(rule["id"], node["html"][:160], node["failureSummary"]) for rule in found for node in rule["nodes"]]


def entry_of(network: Network, *, is_bytes: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """An entry of the page's header, and its arrays."""
    shape = (*network.input_shape, 1, 1)[:3]
    entry = {**describe_network(network), "name": "test", "shape": shape, "bytes": is_bytes, "samples": 0, "style": None}
    none = {"samples": np.zeros(0, np.uint8), "labels": np.zeros(0, np.int32)}
    return entry, {"state": network.state, **none}


def open_models(browser: Any, folder: Path, header: dict[str, Any], arrays: dict[str, Any]) -> Any:
    """A page in which `models` are the Models of this bundle."""
    modules = folder / "js"
    shutil.copytree(MODULES, modules)
    (modules / "probe.js").write_text(PROBE)
    script = f'<script type="module">{joined("probe.js", modules)}</script>'
    path = folder / "models.html"
    path.write_text(
        f'<!doctype html><meta charset="utf-8"><script type="x" id="bundle">{bundle(header, arrays)}</script>{script}'
    )
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    assert page.evaluate("window.opened") == len(header["models"]), errors
    return page
