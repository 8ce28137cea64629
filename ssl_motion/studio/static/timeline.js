// The time line's panel: frames, key frames, speed, preview and export.

import { fillKeys } from "./panel.js";

const at = (id) => document.getElementById(id);
const LAST = 9999, SLOWEST = 1, FASTEST = 100; // what a script may have

export class TimeLine {
  constructor(board, clips, documents, refresh) {
    Object.assign(this, { board, clips, documents, refresh });
    at("frame").addEventListener("input", () => this.setFrame(Number(at("frame").value)));
    at("length").addEventListener("change", () => this.#setLength(at("length").valueAsNumber));
    at("fps").addEventListener("change", () => this.#setSpeed(at("fps").valueAsNumber));
    at("add-key").addEventListener("click", () => board.addKey());
    at("remove-key").addEventListener("click", () => board.removeKey());
    at("preview").addEventListener("click", () => this.order(true));
    at("export-clip").addEventListener("click", () => this.order(false));
  }

  show() {
    const { board } = this;
    board.frame = Math.min(board.frame, board.last);
    const has = Boolean(board.script), isKey = board.keyAt(board.frame) >= 0;
    at("frame").max = String(board.last);
    at("frame").value = String(board.frame);
    at("frame-number").textContent = `${board.frame}${isKey ? " (key)" : ""}`;
    at("length").min = String(board.earliestEnd);
    at("length").value = String(board.last);
    at("fps").value = String(board.script?.fps ?? 12);
    at("length-fault").textContent = at("fps-fault").textContent = "";
    for (const id of ["frame", "length", "fps", "preview", "export-clip"]) at(id).disabled = !has;
    at("add-key").disabled = !has || isKey;
    at("remove-key").disabled = !isKey || board.script.keys.length < 2;
    fillKeys(at("key-frames"), board, (frame) => this.setFrame(frame));
  }

  #setLength(last) {
    const least = this.board.earliestEnd, after = least > 1 ? `, as there is a key frame at ${least - 1}` : "";
    if (Number.isInteger(last) && last >= least && last <= LAST) this.#take(() => this.board.setLength(last));
    else this.#refuse("length", last, `the last frame is a whole number from ${least} to ${LAST}${after}.`);
  }

  #setSpeed(fps) {
    if (fps >= SLOWEST && fps <= FASTEST) this.#take(() => this.board.setSpeed(fps));
    else this.#refuse("fps", fps, `${SLOWEST} to ${FASTEST} frames a second are possible.`);
  }

  #take(set) {
    set();
    this.show(); // as no event says it where the value is what it was
  }

  // The field shows what holds again; beside it stands why the value was not taken.
  #refuse(id, value, allowed) {
    this.show();
    at(`${id}-fault`).textContent = `${Number.isNaN(value) ? "That is no number" : `${value} was not taken`}: ${allowed}`;
  }

  setFrame(frame) {
    this.board.frame = Math.max(0, Math.min(this.board.last, frame));
    this.refresh();
  }

  step(by) {
    this.setFrame(this.board.frame + by);
  }

  order(preview) {
    const { script } = this.board;
    if (!script) return;
    const format = preview ? "mp4" : at("format").value;
    this.clips.make(this.documents.picture, { script, format, warp: at("warp").value, fill: at("fill").value, preview });
  }
}
