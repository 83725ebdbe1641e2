(() => {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const kept = (key) => { try { return localStorage.getItem("glassnet-" + key); } catch { return null; } };
  const keep = (key, value) => { try { localStorage.setItem("glassnet-" + key, value); } catch { /* a private window */ } };
  const text = (key, values) =>
    data.texts[key][root.dataset.lang === "zh" ? 1 : 0].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  let open = null;
  const panel = document.getElementById("cell");

  function showCell() {
    if (!open || !panel) return;
    const [truth, said] = open.dataset.cell.split(",").map(Number);
    const images = data.cells[open.dataset.cell] || [];
    const count = Number(open.dataset.count);
    const names = { n: count, truth: data.classes[truth], said: data.classes[said] };
    const kind = truth === said ? "cell-right" : count === 1 ? "cell-one" : "cell";
    panel.querySelector("strong").textContent =
      text(kind, names) + (images.length < count ? text("shown", { shown: images.length }) : "");
    panel.querySelector(".tiles").replaceChildren(...images.map(([style, index, sure]) => {
      const tile = document.createElement("figure");
      const image = document.createElement("span");
      const caption = document.createElement("figcaption");
      tile.className = "tile";
      image.className = "image sheet-images";
      image.style.cssText = style;
      image.setAttribute("role", "img");
      image.setAttribute("aria-label", text("number", { index }));
      caption.className = "note";
      caption.textContent = sure === null ? text("number", { index }) : sure;
      caption.title = text("number", { index });
      tile.append(image, caption);
      return tile;
    }));
    panel.hidden = false;
  }

  function closeCell() {
    if (open) { open.setAttribute("aria-pressed", "false"); open.focus(); }
    open = null;
    panel.hidden = true;
  }

  for (const button of document.querySelectorAll("[data-cell]")) {
    button.addEventListener("click", () => {
      if (open === button) { closeCell(); return; }
      if (open) open.setAttribute("aria-pressed", "false");
      open = button;
      button.setAttribute("aria-pressed", "true");
      showCell();
    });
  }
  if (panel) {
    panel.querySelector("header button").addEventListener("click", closeCell);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && open) closeCell(); });
  }

  function speak(language) {
    root.dataset.lang = language;
    root.lang = language === "zh" ? "zh-Hans" : "en";
    document.title = data.titles[language === "zh" ? 1 : 0];
    showCell();
  }
  document.getElementById("language").addEventListener("click", () => {
    const next = root.dataset.lang === "zh" ? "en" : "zh";
    keep("language", next);
    speak(next);
  });

  const themes = ["auto", "light", "dark"];
  const theme = document.getElementById("theme");
  function paint(name) {
    root.dataset.theme = name;
    for (const word of theme.children) word.hidden = word.dataset.name !== name;
  }
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    keep("theme", next);
    paint(next);
  });

  const wanted = kept("language") || ((navigator.language || "").startsWith("zh") ? "zh" : "en");
  speak(wanted === "zh" ? "zh" : "en");
  paint(themes.includes(kept("theme")) ? kept("theme") : "auto");
})();
