// The page of a training: what the server tells of it, in one event stream that is closed while the tab is hidden.
import { say, mark } from "./text.js";
import { make } from "./dom.js";
import { chart } from "./chart.js";
import { showFindings, showHealth, showUnits } from "./health.js";

const byId = (id) => document.getElementById(id);
const percent = (value) => `${(100 * value).toFixed(2)} %`;
const TAB = Math.random().toString(36).slice(2);
const LOST = mark("Nothing more is heard of this training: the page's server has ended. What is shown stays.");
const REACHED = mark("The link works for as long as this page is open, ten minutes at the most.");
let stream = null, phase = "training", lost = 0, seen = null;

const showCurves = (curves) => {
  seen = curves;
  const linesOf = (choices) => choices.filter(([key]) => curves[key]).map(([key, name, kind]) => (
    { name, kind, points: curves.epoch.map((epoch, k) => [epoch, curves[key][k]]) }));
  const loss = linesOf([["train_cost", mark("training"), "train"], ["validation_cost", mark("validation"), "validation"]]);
  if (curves.within.length > 1) {
    loss.unshift({ name: mark("within epochs"), kind: "train", points: curves.within, faint: true });
  }
  chart(byId("loss"), { title: mark("Loss"), lines: loss, most: curves.epochs });
  const accuracy = linesOf([
    ["train_accuracy", mark("training"), "train"], ["validation_accuracy", mark("validation"), "validation"],
  ]);
  const best = curves.best?.validation_accuracy === undefined ? null : [curves.best.epoch, curves.best.validation_accuracy];
  byId("accuracy").hidden = !accuracy.length;
  if (!accuracy.length) return;
  chart(byId("accuracy"), {
    title: mark("Accuracy"), lines: accuracy, most: curves.epochs, ring: best, show: percent, scale: 100, unit: " %",
  });
};

const showProgress = (progress) => {
  if (byId("text").textContent !== say(progress.text).textContent) byId("text").replaceChildren(say(progress.text));
  byId("share").value = progress.share;
  byId("left").replaceChildren(...(progress.left ? [say(progress.left)] : []));
  byId("stop").hidden = !["training", "stopping"].includes(progress.phase);
  byId("stop").disabled = progress.phase === "stopping";
  byId("report").hidden = !progress.report;
  byId("lost").hidden = !progress.report;
  if (progress.report) byId("lost").replaceChildren(say(REACHED));
  byId("cards").replaceChildren(...progress.cards.map((card) => make("div", { className: "card" },
    make("small", {}, say(card.name)), make("b", {}, say(card.value)), make("small", {}, say(card.note)))));
  phase = progress.phase;
};

const SHOW = {
  curves: showCurves, progress: showProgress, weights: showUnits, layers: showHealth, diagnosis: showFindings,
};

const close = () => {
  stream?.close();
  stream = null;
};

/** After the end all has been said; before it, a server that is not there any more is asked a few times again. */
const missed = () => {
  if (!stream || stream.readyState === EventSource.OPEN) return;
  lost += 1;
  if (phase === "done" || phase === "broken" || lost > 5) {
    close();
    byId("stop").hidden = true;
    byId("lost").hidden = false;
    byId("lost").replaceChildren(say(LOST));
  } else if (stream.readyState === EventSource.CLOSED) {
    close();
    setTimeout(open, 1000);
  }
};

const open = () => {
  if (stream || document.hidden || lost > 5) return;
  stream = new EventSource(`events?tab=${TAB}`);
  stream.onmessage = (event) => {
    lost = 0;
    for (const [name, value] of Object.entries(JSON.parse(event.data))) SHOW[name]?.(value);
    document.documentElement.dataset.phase = phase;
  };
  stream.onerror = missed;
};

addEventListener("resize", () => seen && showCurves(seen));
byId("stop").addEventListener("click", async () => {
  byId("stop").disabled = true;
  try {
    await fetch("stop", { method: "POST" });
  } catch {
    byId("stop").disabled = false;
  }
});
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", () => {
  close();
  navigator.sendBeacon(`leave?tab=${TAB}`);
});
addEventListener("pageshow", open);
open();
