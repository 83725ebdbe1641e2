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
    if (open) { open.setAttribute("aria-pressed", "false"); open.focus({ preventScroll: true }); }
    open = null;
    panel.hidden = true;
    hint.hidden = false;
  }

  if (panel) {
    document.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-cell]");
      if (!button) return;
      if (open === button) { closeCell(); return; }
      if (open) open.setAttribute("aria-pressed", "false");
      open = button;
      button.setAttribute("aria-pressed", "true");
      showCell();
      panel.scrollIntoView({ block: "nearest" });
    });
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

  // The table of very many classes: those that are searched for, in the order that is chosen, some at a time.
  const classes = document.getElementById("classes"), STEP = 30;
  if (classes) {
    const body = classes.tBodies[0], find = document.getElementById("find"), more = document.getElementById("more");
    const value = {
      name: (i) => i, total: (i) => data.rows[i][0], right: (i) => data.rows[i][1],
      recall: (i) => data.rows[i][1] / data.rows[i][0], precision: (i) => data.rows[i][1] / data.rows[i][2],
    };
    let [key, up, most] = ["recall", true, STEP];
    const share = (number) => (Number.isNaN(number) ? "–" : `${(100 * number).toFixed(1)}${root.lang === "en" ? " %" : "%"}`);
    const cell = (i, j, words, count) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: words });
      Object.assign(button.dataset, { cell: `${i},${j}`, count });
      button.setAttribute("aria-pressed", "false");
      const image = (data.cells[`${i},${j}`] || [])[0];
      if (image) {
        const shown = document.createElement("span");
        shown.className = "image sheet-images";
        shown.style.cssText = image[0];
        shown.setAttribute("aria-hidden", "true");
        button.prepend(shown);
      }
      return button;
    };
    const rowOf = (i) => {
      const row = document.createElement("tr"), head = document.createElement("th");
      const [total, right, , taken] = data.rows[i];
      head.scope = "row";
      head.append(right ? cell(i, i, data.classes[i], right) : data.classes[i]);
      row.append(head);
      for (const words of [total, right, share(value.recall(i)), share(value.precision(i))]) row.insertCell().textContent = words;
      const last = row.insertCell();
      last.className = "taken";
      last.append(...taken.map(([j, count]) => cell(i, j, `${data.classes[j]} ${count}`, count)));
      return row;
    };
    // A class is found by a part of its name; names of one letter by any of several letters.
    const isShort = data.classes.every((name) => [...name].length === 1);
    const fits = (typed) => (i) => {
      const name = data.classes[i].toLowerCase();
      return typed === "" || (isShort ? typed.includes(name) : name.includes(typed));
    };
    const fill = () => {
      const found = data.rows.map((_, i) => i).filter(fits(find.value.trim().toLowerCase()));
      const [of, way] = [value[key], up ? 1 : -1];
      const rank = (i) => (Number.isNaN(of(i)) ? Infinity : way * of(i)); // what is undefined comes last
      found.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) < rank(b) ? -1 : 1) || data.rows[b][0] - data.rows[a][0] || a - b);
      body.replaceChildren(...found.slice(0, most).map(rowOf));
      more.hidden = found.length <= most;
      document.getElementById("found").textContent = text("found", { shown: found.length, count: data.rows.length });
    };
    find.addEventListener("input", () => { most = STEP; fill(); });
    more.addEventListener("click", () => { most += 3 * STEP; fill(); });
    for (const button of classes.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => {
        [up, key, most] = [key === button.dataset.sort ? !up : button.dataset.sort === "name", button.dataset.sort, STEP];
        for (const one of classes.querySelectorAll("[data-sort]")) one.closest("th").removeAttribute("aria-sort");
        button.closest("th").setAttribute("aria-sort", up ? "ascending" : "descending");
        fill();
      });
    }
    document.addEventListener("language", fill);
    fill();
  }
})();
