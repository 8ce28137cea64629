// The menu of exports: what the server packs of documents that are saved.

import { address, download } from "./api.js";

export function offerExports(menu, documents, tell) {
  async function take(what) {
    menu.open = false;
    const stem = documents.picture.name.replace(/\.[^.]*$/, "");
    tell("Packing …", { busy: true });
    try {
      await documents.saved();
      if (what === "coco") await download("/api/export/coco", "annotations.json");
      else await download(`/api/export/${what}/${address(documents.picture)}`, `${stem}-${what}.zip`);
      tell("Exported.");
    } catch (error) {
      tell(`Nothing exported: ${error.message}`, { wrong: true });
    }
  }
  document.addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  for (const button of menu.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => documents.current && take(button.dataset.export));
  }
}
