// Previews and exports of clips: ordered, watched, fetched.

import { address, askJson, save } from "./api.js";

const ASK_EVERY_MS = 250;
const SUFFIXES = { mp4: "mp4", gif: "gif", png: "zip" };

export class Clips {
  #newest = null; // {preview, job} of the order that is being watched; nothing is told of any before it

  constructor(elements, tell) {
    Object.assign(this, elements); // row, bar, text, stopButton, film, video, closeButton, canvas
    this.tell = tell;
    this.stopButton.addEventListener("click", () => this.#stop(this.#newest));
    this.closeButton.addEventListener("click", () => this.closePreview());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) this.closePreview();
    });
  }

  // Another picture, or another order: what is being made is no longer wanted.
  clear() {
    this.#stop(this.#newest);
    this.#newest = null;
    this.row.hidden = true;
    this.closePreview();
  }

  // Another mode: exports go on.
  leave() {
    if (this.#newest?.preview) this.clear();
    else this.closePreview();
  }

  closePreview() {
    if (this.film.hidden) return;
    if (this.film.contains(document.activeElement)) this.canvas.focus();
    this.film.hidden = true;
    this.video.removeAttribute("src");
    this.video.load(); // which ends the sound and the fetching of what was there
    this.tell("");
  }

  async make(picture, order) {
    this.clear();
    const mine = (this.#newest = { preview: order.preview, job: null });
    const isOld = () => this.#newest !== mine;
    this.tell(`The ${order.preview ? "preview" : "clip"} is being made …`, { busy: true });
    try {
      let facts = await askJson(`/api/clips/${address(picture)}`, { method: "POST", body: order });
      mine.job = facts.job;
      if (isOld()) {
        this.#stop(mine);
        return;
      }
      while (facts.state === "waiting" || facts.state === "running") {
        this.#show(facts);
        await new Promise((done) => setTimeout(done, ASK_EVERY_MS));
        if (isOld()) return;
        facts = await askJson(`/api/clips/${mine.job}`);
      }
      if (isOld()) return;
      if (facts.state === "failed") throw new Error(facts.message);
      if (facts.state === "stopped") this.tell("The clip was stopped.");
      else this.#deliver(`/api/clips/${mine.job}/file`, picture, order);
    } catch (error) {
      if (!isOld()) this.tell(`No clip: ${error.message}`, { wrong: true });
    } finally {
      if (!isOld()) {
        this.#newest = null;
        this.row.hidden = true;
      }
    }
  }

  async #stop(order) {
    if (order?.job) await askJson(`/api/clips/${order.job}`, { method: "DELETE" }).catch(() => {});
  }

  #show({ done, total }) {
    this.row.hidden = false;
    this.bar.max = total;
    this.bar.value = done;
    this.text.textContent = `${done} of ${total} frames`;
  }

  #deliver(url, picture, order) {
    if (!order.preview) {
      save(url, `${picture.name.replace(/\.[^.]*$/, "")}.${SUFFIXES[order.format]}`);
      this.tell("The clip is made.");
      return;
    }
    this.film.hidden = false;
    this.film.scrollIntoView({ block: "nearest" });
    if (document.activeElement === this.canvas) this.closeButton.focus(); // keys would draw on what is covered
    this.video.src = url;
    this.video.play().catch(() => {}); // browsers may want a click first
    this.tell("The preview is ready.");
  }
}
