// Objects of a picture: clicks, labels, masks.

import { address, askJson, Latest, sameAs } from "./api.js";
import { decode } from "./rle.js";

export const COLOURS = [
  [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167], [153, 153, 153],
];

const copy = (value) => structuredClone(value);
const clicksOf = ({ positive, negative }) => JSON.stringify([positive, negative]);

export class Objects {
  active = 0;
  #drawn = new Map(); // what a mask looks like, by its colour and run lengths
  #last = []; // mask shown last for each object, until a new one is there
  #typed = null; // the document as the last letter of a label left it

  constructor(documents, tell) {
    this.documents = documents;
    this.tell = tell; // (text, {busy, wrong}) => void
    this.latest = new Latest((...question) => this.#answer(...question));
  }

  get all() {
    return this.documents.current.objects;
  }

  opened() {
    this.active = Math.max(0, this.all.length - 1);
    this.#last = [];
    this.#drawn.clear();
  }

  add() {
    const label = this.all[this.active]?.label ?? "object";
    this.#change((objects) => objects.push({ label, positive: [], negative: [], segmentation: null }));
    this.active = this.all.length - 1;
  }

  remove(place) {
    this.#change((objects) => objects.splice(place, 1));
    this.#last.splice(place, 1);
    this.active = Math.max(0, Math.min(this.active, this.all.length - 1));
  }

  // Each letter is kept at once; those of one word, typed one after the other, are one step of the history.
  rename(place, label) {
    const { documents } = this;
    if (!label || label === this.all[place].label) return;
    const next = copy(documents.current), goesOn = documents.current === this.#typed;
    next.objects[place].label = label;
    this.#typed = next;
    if (goesOn) documents.amend(next);
    else documents.change(next);
  }

  endRename() {
    this.#typed = null;
  }

  mark(sign, point) {
    if (sign === "negative" && !this.all[this.active]?.positive.length) {
      this.tell("Mark the object first, then what is not it.", {});
      return;
    }
    const label = this.all[this.active]?.label ?? "object";
    this.#change((objects) => {
      if (!objects.length) objects.push({ label, positive: [], negative: [], segmentation: null });
      const object = objects[Math.min(this.active, objects.length - 1)];
      object[sign].push(point);
      object.segmentation = null;
    });
  }

  unmark(sign, place) {
    this.#change((objects) => {
      const object = objects[this.active];
      object[sign].splice(place, 1);
      object.segmentation = null;
      if (!object.positive.length) object.negative = [];
    });
  }

  // Ask for masks that are not there yet: after a click, an undo, or a browser that died.
  refresh() {
    this.active = Math.max(0, Math.min(this.active, this.all.length - 1));
    const missing = this.all.findIndex((object) => object.positive.length && !object.segmentation);
    if (missing >= 0) this.latest.ask(this.documents.picture, copy(this.all[missing]));
  }

  // Canvases to lay over the picture, one an object.
  pictures() {
    return this.all.map((object, place) => {
      if (!object.positive.length) this.#last[place] = null;
      else if (object.segmentation) this.#last[place] = this.#draw(object.segmentation, place);
      return this.#last[place] ?? null;
    });
  }

  #change(edit) {
    const next = copy(this.documents.current);
    edit(next.objects);
    this.documents.change(next);
  }

  async #answer(picture, object) {
    const began = performance.now();
    this.tell("The model looks for the object …", { busy: true });
    try {
      const { positive, negative } = object;
      const found = await askJson(`/api/annotate/${address(picture)}`, { method: "POST", body: { positive, negative } });
      if (!sameAs(picture, this.documents.picture)) return;
      const next = copy(this.documents.current);
      let used = false;
      for (const each of next.objects) {
        if (!each.segmentation && clicksOf(each) === clicksOf(object)) {
          each.segmentation = found.segmentation;
          used = true;
        }
      }
      const seconds = ((performance.now() - began) / 1000).toFixed(2);
      const share = (100 * found.share).toFixed(1);
      const nothing = found.share ? "" : " Nothing moves with these points: try others.";
      this.tell(`Mask in ${seconds} s: ${share} % of the picture.${nothing}`, {});
      if (used) this.documents.amend(next);
    } catch (error) {
      this.tell(`No mask: ${error.message}`, { wrong: true });
    }
  }

  #draw(segmentation, place) {
    const colour = COLOURS[place % COLOURS.length], key = `${colour} ${segmentation.counts}`;
    if (!this.#drawn.has(key)) {
      const { width, height, data } = decode(segmentation);
      const pixels = new ImageData(width, height);
      for (let at = 0; at < data.length; at++) {
        if (!data[at]) continue;
        const column = at % width;
        const inner = column && column < width - 1 && data[at - 1] && data[at + 1] && data[at - width] && data[at + width];
        pixels.data.set([...colour, inner ? 115 : 255], 4 * at);
      }
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext("2d").putImageData(pixels, 0, 0);
      if (this.#drawn.size > 64) this.#drawn.clear();
      this.#drawn.set(key, canvas);
    }
    return this.#drawn.get(key);
  }
}
