// The buttons for language and theme, which every page has. A change of the language is told as the event "language".
(() => {
  "use strict";
  const root = document.documentElement, title = document.querySelector("title");
  const kept = (key) => { try { return localStorage.getItem("glassnet-" + key); } catch { return null; } };
  const keep = (key, value) => { try { localStorage.setItem("glassnet-" + key, value); } catch { /* a private window */ } };

  function speak(language) {
    root.dataset.lang = language;
    root.lang = language === "zh" ? "zh-Hans" : "en";
    document.title = title.dataset[language];
    document.dispatchEvent(new Event("language"));
  }
  document.getElementById("language").addEventListener("click", () => {
    const next = root.dataset.lang === "zh" ? "en" : "zh";
    keep("language", next);
    speak(next);
  });

  const themes = ["auto", "light", "dark"], theme = document.getElementById("theme");
  function paint(name) {
    root.dataset.theme = name;
    for (const word of theme.children) word.hidden = word.dataset.name !== name;
  }
  theme.addEventListener("click", () => {  // from auto first to the other colours, then to these, then back
    const order = matchMedia("(prefers-color-scheme: dark)").matches ? themes : ["auto", "dark", "light"];
    const next = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
    keep("theme", next);
    paint(next);
  });

  const wanted = kept("language") || ((navigator.language || "").startsWith("zh") ? "zh" : "en");
  speak(wanted === "zh" ? "zh" : "en");
  paint(themes.includes(kept("theme")) ? kept("theme") : "auto");
})();
