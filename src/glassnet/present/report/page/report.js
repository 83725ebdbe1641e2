(() => {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const text = (key, values) =>
    data.texts[key][root.dataset.lang === "zh" ? 1 : 0].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  let open = null;
  const panel = document.getElementById("cell"), hint = document.getElementById("hint");

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
      caption.textContent = sure === null ? text("number", { index }) : root.lang === "en" ? sure : sure.replace(" %", "%");
      caption.title = text("number", { index });
      tile.append(image, caption);
      return tile;
    }));
    panel.hidden = false;
    hint.hidden = true;
  }

  function closeCell() {
    if (open) { open.setAttribute("aria-pressed", "false"); open.focus(); }
    open = null;
    panel.hidden = true;
    hint.hidden = false;
  }

  for (const button of document.querySelectorAll("[data-cell]")) {
    button.addEventListener("click", () => {
      if (open === button) { closeCell(); return; }
      if (open) open.setAttribute("aria-pressed", "false");
      open = button;
      button.setAttribute("aria-pressed", "true");
      showCell();
      panel.scrollIntoView({ block: "nearest" });
    });
  }
  if (panel) {
    panel.querySelector("header button").addEventListener("click", closeCell);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && open) closeCell(); });
  }

  // The arrow keys move between the numbers of the table: along a row, and to the nearest number of another row.
  const table = document.querySelector("table.confusion");
  if (table) {
    const buttons = [...table.querySelectorAll("button")];
    const place = (button) => [button.closest("tr").rowIndex, button.closest("td").cellIndex];
    table.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key], here = buttons.indexOf(event.target);
      if (!way || here < 0) return;
      event.preventDefault();
      const [row, column] = place(event.target);
      const far = (button) => way * (place(button)[0] - row) * 100 + Math.abs(place(button)[1] - column);
      const others = buttons.filter((button) => way * (place(button)[0] - row) > 0).sort((one, two) => far(one) - far(two));
      const next = /Left|Right/.test(event.key) ? buttons[here + way] : others[0];
      if (next) next.focus();
    });
  }
  document.addEventListener("language", showCell);
})();
