// The time line's panel: frames, key frames, speed, preview and export.

import { fillKeys } from "./panel.js";

const at = (id) => document.getElementById(id);
const within = (value, least, most, otherwise) => Math.min(most, Math.max(least, value || otherwise));

export class TimeLine {
  constructor(board, clips, documents, refresh) {
    Object.assign(this, { board, clips, documents, refresh });
    at("frame").addEventListener("input", () => this.setFrame(Number(at("frame").value)));
    at("length").addEventListener("change", () => board.setLength(Math.round(within(Number(at("length").value), 1, 9999, 1))));
    at("fps").addEventListener("change", () => board.setSpeed(within(Number(at("fps").value), 1, 100, 12)));
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
    at("length").value = String(board.last);
    at("fps").value = String(board.script?.fps ?? 12);
    for (const id of ["frame", "length", "fps", "preview", "export-clip"]) at(id).disabled = !has;
    at("add-key").disabled = !has || isKey;
    at("remove-key").disabled = !isKey || board.script.keys.length < 2;
    fillKeys(at("key-frames"), board, (frame) => this.setFrame(frame));
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
