// What is known of the network: a line at the top, a table at the end.

import { make } from "./dom.js";
import { say } from "./text.js";

/** Fills the line `.about` of the page, and the table of the network's section. */
export const showFacts = (content, model) => {
  const { about, facts } = model.entry;
  content.querySelector(".about").replaceChildren(say(about));
  document.getElementById("facts")?.remove();
  const rows = facts.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, say(name)), make("td", {}, say(value))));
  document.querySelector("main").append(make("section", { id: "facts", "aria-labelledby": "facts-title" },
    make("h2", { id: "facts-title" }, say("This network")), make("table", { className: "facts" }, make("tbody", {}, ...rows))));
};
