// What the model answers to arrows and still points, as a layer over the picture and as numbers.

import { address, askJson, Latest, sameAs } from "./api.js";

const SLOW_MS = 400; // from then on the page says that the model is at work

export class Flow {
  answer = null; // the server's numbers for the guidance that is shown
  #bitmap = null;
  #visible = true;
  #latest = new Latest((...question) => this.#ask(...question));

  constructor(view, documents, { tell, isWanted, changed }) {
    Object.assign(this, { view, documents, tell, isWanted, changed });
  }

  set visible(visible) {
    this.#visible = visible;
    this.#lay();
  }

  ask(guidance) {
    this.answer = null;
    if (guidance.arrows.length + guidance.stills.length) this.#latest.ask(this.documents.picture, guidance);
    else this.clear();
  }

  clear() {
    this.answer = this.#bitmap = null;
    this.#lay();
    this.changed(null);
  }

  // Put the layer back after another mode, or take it away for one.
  hide() {
    this.view.flow = null;
    this.view.draw();
  }

  #lay() {
    this.view.flow = this.#visible ? this.#bitmap : null;
    this.view.draw();
  }

  async #ask(picture, guidance, isOld) {
    const began = performance.now();
    const isWanted = () => sameAs(picture, this.documents.picture) && this.isWanted();
    const slow = setTimeout(() => isWanted() && this.tell("The model is at work …", { busy: true }), SLOW_MS);
    try {
      const found = await askJson(`/api/predict/${address(picture)}`, { method: "POST", body: guidance });
      const bytes = Uint8Array.from(atob(found.picture), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      if (!isWanted()) return;
      this.answer = found;
      this.#bitmap = bitmap;
      this.#lay();
      const { dataset } = this.view.canvas;
      dataset.flow = String(Number(dataset.flow ?? 0) + 1); // how many were shown
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      // The first part says what is wrong; all of it would push the canvas about while somebody draws.
      const warning = found.warnings[0]?.split(":")[0];
      this.tell(warning ? `Note: ${warning}.` : `Flow in ${seconds} s.`, { wrong: Boolean(warning) });
      this.changed(found);
    } catch (error) {
      if (!isOld() && isWanted()) this.tell(`No flow: ${error.message}`, { wrong: true });
    } finally {
      clearTimeout(slow);
    }
  }
}
