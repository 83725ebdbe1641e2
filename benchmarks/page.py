"""The exported page against Python and TensorFlow.js: `python -m benchmarks.page --run RUN [--images 10000] [--tfjs FOLDER]`.

RUN is a trained mnist-cnn. Its page is opened from disk in Chromium, with the network off: every test image, the size of the
page, the time to the first answer, and that of a stroke of the pen. Then training steps in the page; with --tfjs beside
TensorFlow.js on its WebAssembly backend (SIMD, one thread) in the same browser, after
`npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm` in FOLDER.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.nn.optimizers import SGD
from glassnet.present.page import write_page
from glassnet.present.page.lowering import Job
from glassnet.present.page.model import payload_of
from tests.page import entry_of, open_models

TIES = 1e-5
NIELSEN_CNN: list[Any] = [
    gn.Pixels(), gn.Conv2D(20, 5), gn.ReLU(), gn.MaxPool2D(2), gn.Conv2D(40, 5), gn.ReLU(), gn.MaxPool2D(2), gn.Flatten(),
    gn.Dense(100), gn.ReLU(), gn.Dense(10),
]  # fmt: skip
STEPS = """([i, x, labels, batch, seconds]) => {
  const bytes = Uint8Array.from(atob(x), (letter) => letter.charCodeAt(0));
  const trainer = new Trainer(models[i], bytes, labels, { batch });
  trainer.run(0.1, 5);
  const times = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    const start = performance.now();
    const taken = trainer.run(0.1, batch > 10 ? 2 : 200);
    times.push((performance.now() - start) / taken);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}"""
PEER = """async ([kind, batch, seconds]) => {
  await tf.setBackend("wasm");
  await tf.ready();
  const model = tf.sequential();
  const side = kind === "dense" ? [784] : [28, 28, 1, 1];
  if (kind === "dense") {
    model.add(tf.layers.dense({ units: 30, activation: "sigmoid", inputShape: [784] }));
    model.add(tf.layers.dense({ units: 10, activation: "sigmoid" }));
  } else {  // Conv2D has no gradient on this backend; as a Conv3D of depth 1 it has one
    for (const filters of [20, 40]) {
      const given = filters === 20 ? { inputShape: side } : {};
      model.add(tf.layers.conv3d({ filters, kernelSize: [5, 5, 1], activation: "relu", ...given }));
      model.add(tf.layers.maxPooling3d({ poolSize: [2, 2, 1] }));
    }
    model.add(tf.layers.flatten());
    model.add(tf.layers.dense({ units: 100, activation: "relu" }));
    model.add(tf.layers.dense({ units: 10 }));
  }
  const optimizer = tf.train.sgd(0.1);
  const x = tf.randomUniform([batch, ...side]);
  const y = tf.oneHot(tf.tensor1d(Array.from({ length: batch }, (_, i) => i % 10), "int32"), 10).toFloat();
  const half = tf.scalar(0.5);
  const loss = () => tf.tidy(() => {
    const out = model.apply(x, { training: true });
    return kind === "dense" ? tf.squaredDifference(out, y).sum(1).mul(half).mean()
      : tf.losses.softmaxCrossEntropy(y, out);
  });
  const step = () => optimizer.minimize(loss);
  step();
  const times = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    const start = performance.now();
    step();
    times.push(performance.now() - start);
  }
  return [tf.getBackend(), times.sort((a, b) => a - b)[times.length >> 1]];
}"""


def check_answers(page: Any, run: gn.Run, count: int) -> None:
    """Every test image on the page against `predict_proba`."""
    images = run.test.images[:count]
    wanted = run.network.predict_proba(images)
    found, times = np.empty_like(wanted), []
    for first in range(0, count, 500):
        block = images[first : first + 500]
        answers, each = page.evaluate(
            """(images) => {
              const start = performance.now();
              const found = images.map((image) => glassnet.predict(Uint8Array.from(image)));
              return [found, (performance.now() - start) / images.length];
            }""",
            block.reshape(len(block), -1).tolist(),
        )
        found[first : first + len(block)] = [answer["probabilities"] for answer in answers]
        times.append(each)
    top = np.sort(wanted, axis=1)
    differ = found.argmax(axis=1) != wanted.argmax(axis=1)
    ties = top[:, -1] - top[:, -2] < TIES
    print(f"{count} images: {int((~differ).sum())} labels as in Python, {int((differ & ~ties).sum())} others but for ties")
    print(f"largest difference of a probability {np.abs(found - wanted).max():.1e}, {np.median(times):.2f} ms an image")


def measure_page(browser: Any, run: gn.Run, path: Path, count: int) -> None:
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate("glassnet.ready.then(() => glassnet.predict(new Uint8Array(28 * 28)))")
    print(f"{path.stat().st_size / 1e6:.2f} MB; from opening to the first answer {time.perf_counter() - began:.2f} s")
    check_answers(page, run, count)
    stroke(page)
    context.close()


def stroke(page: Any) -> None:
    """From a move of the pen until everything is drawn again: the next frame after it."""
    box = page.locator("canvas").first.bounding_box()
    page.evaluate(
        """() => {
          window.waits = [];
          addEventListener("pointermove", () => {
            const start = performance.now();
            requestAnimationFrame(() => setTimeout(() => waits.push(performance.now() - start)));
          }, { capture: true });
        }"""
    )
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    for i in range(150):
        angle = i / 12
        x, y = box["width"] * (0.5 + 0.3 * np.cos(angle)), box["height"] * (0.5 + 0.3 * np.sin(angle))
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.wait_for_timeout(20)
    page.mouse.up()
    waits = page.evaluate("waits")[5:]
    print(f"pen stroke to everything redrawn: median {np.median(waits):.1f} ms, p95 {np.percentile(waits, 95):.1f} ms")


def served(folder: Path) -> tuple[http.server.ThreadingHTTPServer, str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def measure_training(browser: Any, folder: Path, tfjs: Path | None, seconds: float) -> None:
    import base64

    train = gn.load_dataset("mnist").train.head(5000)
    cases = {
        "784-30-10, batch 10": (gn.Network([784, 30, 10], seed=1), 10, "dense"),
        "nielsen-cnn, batch 64": (
            gn.Network(NIELSEN_CNN, input_shape=(28, 28, 1), loss="SoftmaxCrossEntropy", seed=1), 64, "conv",
        ),
    }  # fmt: skip
    models = [(net, [Job("show"), Job("train", batch, optimizer=SGD(0.1))]) for net, batch, _ in cases.values()]
    page = open_models(browser, folder, *payload_of([(*model, *entry_of(model[0], is_bytes=True)) for model in models]))
    peer = None
    if tfjs is not None:
        _, address = served(tfjs / "node_modules" / "@tensorflow")
        peer = browser.new_page()
        peer.goto(f"{address}/tfjs/package.json")
        for script in ("tfjs/dist/tf.min.js", "tfjs-backend-wasm/dist/tf-backend-wasm.min.js"):
            peer.add_script_tag(url=f"{address}/{script}")
        peer.evaluate("(path) => tf.wasm.setWasmPaths(path)", f"{address}/tfjs-backend-wasm/dist/")
    data = base64.b64encode(train.images.tobytes()).decode()
    for number, (name, (_, batch, kind)) in enumerate(cases.items()):
        ours, theirs = [], []
        for _ in range(3):
            ours.append(page.evaluate(STEPS, [number, data, train.labels.tolist(), batch, seconds]))
            if peer is not None:
                backend, median = peer.evaluate(PEER, [kind, batch, seconds])
                assert backend == "wasm"
                theirs.append(median)
        line = f"{name}: a step takes {1000 * np.median(ours):.1f} µs"
        if theirs:
            line += f", TensorFlow.js {1000 * np.median(theirs):.1f} µs: {np.median(np.divide(theirs, ours)):.1f}× as quick"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a trained mnist-cnn")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--tfjs", type=Path, help="a folder with node_modules/@tensorflow")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement of training")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    from tests.install_browser import launch

    with sync_playwright() as driver, tempfile.TemporaryDirectory() as name:
        browser, folder = launch(driver), Path(name)
        print(json.dumps({"browser": browser.version}))
        if options.run is not None:
            run = gn.Run.load(options.run)
            measure_page(browser, run, write_page([run], folder / "page.html"), options.images)
        (folder / "models").mkdir()
        measure_training(browser, folder / "models", options.tfjs, options.seconds)


if __name__ == "__main__":
    main()
