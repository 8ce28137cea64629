"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const records = JSON.parse(byId("records").textContent);

  // Theme: the system's unless chosen. Storage may be forbidden for pages opened as files.
  const themes = ["auto", "light", "dark"];
  let theme = "auto";
  try { theme = localStorage.getItem("leaderboard-theme") || "auto"; } catch { /* not kept */ }
  const setTheme = (name) => {
    theme = themes.includes(name) ? name : "auto";
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    byId("theme").textContent = "Theme: " + theme;
  };
  setTheme(theme);
  byId("theme").addEventListener("click", () => {
    setTheme(themes[(themes.indexOf(theme) + 1) % themes.length]);
    try { localStorage.setItem("leaderboard-theme", theme); } catch { /* not kept */ }
  });

  // Sorting: numbers as numbers, rows without a value last whichever way.
  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const numbers = [Number(a), Number(b)];
    if (numbers.some(Number.isNaN)) return sign * a.localeCompare(b, "en", { numeric: true });
    return sign * (numbers[0] - numbers[1]);
  };
  for (const button of document.querySelectorAll("thead button")) {
    button.addEventListener("click", () => {
      const head = button.parentElement;
      const column = [...head.parentElement.children].indexOf(head);
      const other = { ascending: "descending", descending: "ascending" };
      const order = other[head.getAttribute("aria-sort")] || button.dataset.first;
      for (const cell of head.parentElement.children) cell.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const body = head.closest("table").tBodies[0];
      const sign = order === "ascending" ? 1 : -1;
      const value = (row) => row.children[column].dataset.value;
      body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b), sign)));
    });
  }

  // Filters hide rows, then tables and tasks that have no rows left.
  const rows = [...document.querySelectorAll("tbody tr")].map((row) => {
    const group = row.closest(".group");
    const task = row.closest(".task");
    const text = [task.querySelector("h2"), group.querySelector("h3"), row].map((part) => part.textContent).join(" ");
    return { row, task: task.dataset.task, small: group.dataset.scale !== "full", text: text.toLowerCase() };
  });
  const filter = () => {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const task = byId("task").value;
    let visible = 0;
    for (const each of rows) {
      const show = (task === "" || each.task === task) && byId(each.row.dataset.origin).checked &&
        (!each.small || byId("small").checked) && words.every((word) => each.text.includes(word));
      each.row.hidden = !show;
      visible += show;
    }
    for (const part of document.querySelectorAll(".group, .task")) part.hidden = !part.querySelector("tbody tr:not([hidden])");
    byId("count").textContent = visible === rows.length ? rows.length + " rows" : visible + " of " + rows.length + " rows";
    byId("nothing").hidden = visible > 0;
  };
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  filter();

  // The panel of an entry: its address is #ENTRY, so that a figure can be linked to.
  const panel = byId("panel");
  const make = (tag, text, ...children) => {
    const node = document.createElement(tag);
    if (text) node.textContent = text;
    node.append(...children);
    return node;
  };
  const list = (pairs) => {
    const node = make("dl");
    for (const [name, value] of pairs) node.append(make("div", "", make("dt", name), value instanceof Node ? make("dd", "", value) : make("dd", String(value))));
    return node;
  };
  const fold = (name, content) => make("details", "", make("summary", name), make("pre", JSON.stringify(content, null, 2)));
  const showEntry = () => {
    const key = location.hash.slice(1);
    const entry = Object.hasOwn(records, key) ? records[key] : null;
    if (!entry) { if (panel.open) panel.close(); return; }
    byId("panel-title").textContent = entry.title;
    const body = byId("panel-body");
    body.replaceChildren(list(entry.facts));
    for (const record of entry.records) {
      body.append(make("h3", record.title));
      const pairs = [...record.facts];
      if (record.file) {
        const link = make("a", record.file);
        link.href = record.file;
        pairs.push(["record file", link]);
      }
      body.append(list(pairs));
      for (const [name, content] of record.folds) body.append(fold(name, content));
    }
    if (!panel.open) panel.showModal();
    panel.scrollTop = 0;
  };
  panel.addEventListener("close", () => {
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  });
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
  byId("close").addEventListener("click", () => panel.close());
  window.addEventListener("hashchange", showEntry);
  showEntry();
})();
