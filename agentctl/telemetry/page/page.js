"use strict";
(() => {
  const all = (query, within = document) => Array.from(within.querySelectorAll(query));
  const one = (id) => document.getElementById(id);
  const rows = all("li.row");
  const steps = all("section.step");
  const search = one("search");
  const buttons = all("[data-show]");
  const nothing = document.querySelector(".nothing");
  const opened = new Set(); // rows that a search opened, to be closed after it
  const MOST_OPENED = 20;
  const MOST_MARKS = 2000;
  let texts = null;
  let show = "";
  let timer = 0;

  document.querySelector(".bar").hidden = false;
  for (const time of all("time")) {
    const at = new Date(time.textContent.replace(" ", "T"));
    if (!Number.isNaN(at.valueOf())) time.title = at.toLocaleString();
  }

  const wanted = (row) => !show || row.dataset.kind === show
    || (show === "trouble" && ["failed", "open", "warning"].includes(row.dataset.word));

  function mark(words, hits) {
    if (!window.Highlight || !CSS.highlights) return;
    CSS.highlights.delete("found");
    if (!words) return;
    const ranges = [];
    for (const row of hits) {
      const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node && ranges.length < MOST_MARKS; node = walker.nextNode()) {
        const text = node.data.toLowerCase();
        if (text.length !== node.data.length) continue; // a letter that grows: its places are not those of the text
        for (let at = text.indexOf(words); at >= 0 && ranges.length < MOST_MARKS; at = text.indexOf(words, at + words.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + words.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  function filter() {
    const words = search.value.trim().toLowerCase();
    if (words && !texts) texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const hits = rows.filter((row) => wanted(row) && (!words || texts.get(row).includes(words)));
    const hit = new Set(hits);
    for (const row of rows) row.hidden = !hit.has(row);
    for (const step of steps) step.hidden = !step.querySelector("li.row:not([hidden])");
    for (const details of opened) details.open = false;
    opened.clear();
    if (words) {
      for (const row of hits.slice(0, MOST_OPENED)) {
        for (const details of all("details:not([open])", row)) {
          const outside = details.querySelector("summary").textContent.toLowerCase().includes(words);
          if (!outside && details.textContent.toLowerCase().includes(words)) {
            details.open = true;
            opened.add(details);
          }
        }
      }
    }
    mark(words, hits);
    nothing.hidden = hits.length > 0 || rows.length === 0;
    one("count").textContent = words || show ? `${hits.length} of ${rows.length} rows` : "";
  }

  function all_open(open) {
    opened.clear();
    for (const row of rows) if (!row.hidden) row.querySelector("details").open = open;
  }

  function theme() {
    const root = document.documentElement;
    const next = { "": "light", light: "dark", dark: "" }[root.dataset.theme || ""];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    one("theme").textContent = `theme: ${next || "system"}`;
  }

  function step_to(by, only) {
    const seen = rows.filter((row) => !row.hidden && (!only || ["failed", "open"].includes(row.dataset.word)));
    if (!seen.length) return;
    const here = document.activeElement.closest("li.row");
    let next;
    if (!here) next = by > 0 ? seen[0] : seen[seen.length - 1];
    else if (by > 0) next = seen.find((row) => here.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING) || seen[0];
    else next = seen.findLast((row) => here.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_PRECEDING) || seen[seen.length - 1];
    next.querySelector("summary").focus();
    next.scrollIntoView({ block: "nearest" });
  }

  function clear() {
    search.value = "";
    press("");
  }

  function press(value) {
    show = value;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === value));
    filter();
  }

  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 80);
  });
  for (const button of buttons) button.addEventListener("click", () => press(button.dataset.show));
  one("expand").addEventListener("click", () => all_open(true));
  one("collapse").addEventListener("click", () => all_open(false));
  one("theme").addEventListener("click", theme);
  window.addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.matches("li.row")) row.querySelector("details").open = true;
  });

  const keys = {
    "/": () => search.focus(), e: () => all_open(true), c: () => all_open(false), t: theme,
    j: () => step_to(1), k: () => step_to(-1), n: () => step_to(1, true),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      clear();
      search.blur();
    } else if (event.target !== search && Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });
})();
