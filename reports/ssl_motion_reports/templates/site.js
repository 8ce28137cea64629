"use strict";
(() => {
  const save = (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", () => save(button.dataset.download, button.parentElement.querySelector("pre").textContent));
  }

  // A record lies in a pack with others, a script that calls takePack(base64 of gzip of JSON {identity: record}).
  const packs = new Map();
  let taken = null;
  window.takePack = (text) => {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    taken = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };
  const load = (address) => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    // A script that has run is followed by its own event, before any other runs.
    Object.assign(script, { src: address, onload: () => resolve(taken), onerror: reject });
    document.head.append(script);
  });
  for (const button of document.querySelectorAll("[data-pack]")) {
    const row = button.closest("tr"), { pack } = button.dataset;
    button.setAttribute("aria-label", "Download the record of seed " + row.cells[0].textContent);
    button.addEventListener("click", async () => {
      if (!packs.has(pack)) packs.set(pack, load(pack).catch((error) => { packs.delete(pack); throw error; }));
      save("record.json", (await packs.get(pack))[row.id]);
    });
  }

  // Bars say nothing that the figures beside them do not.
  for (const cell of document.querySelectorAll("[data-bar]")) {
    const [svg, bar] = ["svg", "rect"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
    bar.setAttribute("width", cell.dataset.bar);
    svg.append(bar);
    cell.append(svg);
  }
})();
