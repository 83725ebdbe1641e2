// Sorts the table of all trials by a click on a heading: numbers by value, other texts by the alphabet, empty cells last.
(() => {
  "use strict";
  const table = document.querySelector("table.sortable");
  const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells];
  const text = (row, column) => row.cells[column].textContent.replace("#", "").trim();

  function sort(column) {
    const heading = headings[column];
    const falling = heading.getAttribute("aria-sort") === "ascending";
    const rows = [...body.rows].map((row) => ({ row, text: text(row, column) }));
    const known = rows.filter((one) => one.text && one.text !== "–");
    const numeric = known.every((one) => Number.isFinite(Number(one.text)));
    const order = (a, b) => numeric ? Number(a.text) - Number(b.text) : a.text.localeCompare(b.text);
    known.sort((a, b) => (falling ? -1 : 1) * order(a, b));
    for (const one of headings) one.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.append(...[...known, ...rows.filter((one) => !known.includes(one))].map((one) => one.row));
  }

  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(column));
  });
  document.querySelector(".sort-how").hidden = false;
})();
