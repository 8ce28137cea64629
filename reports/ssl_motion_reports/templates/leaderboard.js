"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text, ...children) => {
    const node = document.createElement(tag);
    if (text) node.textContent = text;
    node.append(...children);
    return node;
  };

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

  const form = byId("filters");
  if (!form) return;

  // Sorting: numbers as numbers, rows without a value last whichever way.
  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const numbers = [Number(a), Number(b)];
    if (numbers.some(Number.isNaN)) return sign * a.localeCompare(b, "en", { numeric: true });
    return sign * (numbers[0] - numbers[1]);
  };
  const tables = all(".group table").map((table) => {
    const heads = all("thead th", table);
    const rows = [...table.tBodies[0].rows];
    const sorted = heads.findIndex((head) => head.hasAttribute("aria-sort"));
    const start = { column: sorted, order: sorted < 0 ? null : heads[sorted].getAttribute("aria-sort") };
    return { id: table.closest(".group").id, heads, names: heads.map((head) => head.textContent.trim()), rows, start, now: start };
  });
  const sort = (table, now) => {
    if (now.column === table.now.column && now.order === table.now.order) return;
    for (const head of table.heads) head.removeAttribute("aria-sort");
    if (now.order) table.heads[now.column].setAttribute("aria-sort", now.order);
    const sign = now.order === "ascending" ? 1 : -1;
    // A cell is sorted by what it shows, unless it has a value for that.
    const value = (row) => row.children[now.column].dataset.value ?? row.children[now.column].textContent.trim();
    // As the page came, its rows are in their own order: equal ranks, and tables that are not ranked, need it.
    const ordered = now === table.start ? table.rows : [...table.rows].sort((a, b) => compare(value(a), value(b), sign));
    table.rows[0]?.parentElement.append(...ordered);
    table.now = now;
  };
  for (const table of tables) {
    table.heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", (event) => {
      const other = { ascending: "descending", descending: "ascending" };
      sort(table, { column, order: (table.now.column === column && other[table.now.order]) || event.target.dataset.first });
      write();
    }));
  }

  // Columns: any but a table's first two (rank, name) can be hidden, in all tables at once.
  const names = [...new Set(tables.flatMap((table) => table.names.slice(2)))];
  const boxes = new Map(names.map((name) => {
    const box = make("input");
    Object.assign(box, { type: "checkbox", checked: true, defaultChecked: true });
    byId("columns").querySelector("fieldset").append(make("label", "", box, " " + name));
    return [name, box];
  }));
  const hidden = () => names.filter((name) => !boxes.get(name).checked);
  const showColumns = () => {
    const away = new Set(hidden());
    for (const table of tables) {
      table.names.forEach((name, column) => {
        const hide = column > 1 && away.has(name);
        if (table.heads[column].hidden === hide) return;
        for (const cells of [table.heads[column].parentElement, ...table.rows]) cells.children[column].hidden = hide;
      });
    }
  };

  // Filters hide rows, then tables and tasks that have no rows left.
  const rows = tables.flatMap((table) => table.rows.map((row) => {
    const group = row.closest(".group");
    const task = row.closest(".task");
    const text = [task.querySelector("h2"), group.querySelector("h3"), row].map((part) => part?.textContent || "").join(" ");
    return { row, task: task.dataset.task, small: group.dataset.scale !== "full", text: text.toLowerCase() };
  }));
  const kinds = ["reproduced", "reported", "small"].filter(byId);
  const shown = (kind) => byId(kind)?.checked ?? true;
  const filter = () => {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const task = byId("task")?.value || "";
    let visible = 0;
    for (const each of rows) {
      const show = (task === "" || each.task === task) && shown(each.row.dataset.origin) &&
        (!each.small || shown("small")) && words.every((word) => each.text.includes(word));
      each.row.hidden = !show;
      visible += show;
    }
    for (const part of all(".group, .task")) part.hidden = !part.querySelector("tbody tr:not([hidden])");
    byId("count").textContent = visible === rows.length ? rows.length + " rows" : visible + " of " + rows.length + " rows";
    byId("nothing").hidden = visible > 0;
  };

  // The panel of an entry: figures and the records behind them.
  const panel = byId("panel");
  const { entries, protocols } = panel ? JSON.parse(byId("records").textContent) : { entries: {}, protocols: {} };
  let open = null;
  const list = (pairs) => {
    const node = make("dl");
    for (const [name, value] of pairs) node.append(make("div", "", make("dt", name), value instanceof Node ? make("dd", "", value) : make("dd", String(value))));
    return node;
  };
  const fold = (name, content) => make("details", "", make("summary", name), make("pre", JSON.stringify(content, null, 2)));
  const showEntry = (key) => {
    const entry = Object.hasOwn(entries, key) ? entries[key] : null;
    open = entry && key;
    if (!entry) { if (panel?.open) panel.close(); return; }
    byId("panel-title").textContent = entry.title;
    const body = byId("panel-body");
    body.replaceChildren(list(entry.facts));
    if (Object.hasOwn(protocols, entry.protocol)) body.append(fold("protocol", protocols[entry.protocol]));
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
  if (panel) {
    panel.addEventListener("close", () => { open = null; write(); });
    panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });
    byId("close").addEventListener("click", () => panel.close());
  }

  // The view is in the address: #q=WORDS&task=TASK&without=KIND&hide=COLUMN&sort=TABLE+ORDER+COLUMN&entry=KEY.
  // #KEY alone opens a panel, and #TABLE alone is an anchor; both leave the view as it is.
  const address = () => {
    const view = new URLSearchParams();
    if (byId("search").value) view.append("q", byId("search").value);
    if (byId("task")?.value) view.append("task", byId("task").value);
    for (const kind of kinds) if (!byId(kind).checked) view.append("without", kind);
    for (const name of hidden()) view.append("hide", name);
    for (const { id, names, now, start } of tables) if (now !== start && now.order) view.append("sort", [id, now.order, names[now.column]].join(" "));
    if (open && !view.size) return "#" + open;
    if (open) view.append("entry", open);
    return view.size ? "#" + view : "";
  };
  let last = location.hash;
  const write = () => {
    const next = address();
    if (next === last) return;
    last = next;
    history.replaceState(null, "", location.pathname + location.search + next);
  };
  const read = () => {
    last = location.hash;
    const text = last.slice(1);
    if (text.includes("=")) {
      const view = new URLSearchParams(text);
      byId("search").value = view.get("q") || "";
      if (byId("task")) byId("task").value = view.get("task") || "";
      for (const kind of kinds) byId(kind).checked = !view.getAll("without").includes(kind);
      for (const [name, box] of boxes) box.checked = !view.getAll("hide").includes(name);
      const wanted = new Map(view.getAll("sort").map((each) => {
        const [id, order, ...name] = each.split(" ");
        return [id, { order, name: name.join(" ") }];
      }));
      for (const table of tables) {
        const { order, name } = wanted.get(table.id) || {};
        const column = table.names.indexOf(name);
        const known = column >= 0 && ["ascending", "descending"].includes(order);
        sort(table, known ? { column, order } : table.start);
      }
      update();
    }
    showEntry(text.includes("=") ? new URLSearchParams(text).get("entry") : text);
    if (open) write();
  };
  const update = () => { showColumns(); filter(); };
  // A browser counts changes of the address, and refuses when letters are typed fast: one change for a burst of them.
  let timer = 0;
  form.addEventListener("input", () => { update(); clearTimeout(timer); timer = setTimeout(write, 200); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    for (const table of tables) sort(table, table.start);
    update();
    write();
  }));
  window.addEventListener("hashchange", read);
  update();
  read();
})();
