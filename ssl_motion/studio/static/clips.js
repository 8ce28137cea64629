// Previews and exports of clips: ordered, watched, fetched.

import { address, askJson, save } from "./api.js";

const ASK_EVERY_MS = 250;
const SUFFIXES = { mp4: "mp4", gif: "gif", png: "zip" };

export class Clips {
  #job = null;

  constructor(elements, tell) {
    Object.assign(this, elements); // row, bar, text, stopButton, video
    this.tell = tell;
    this.stopButton.addEventListener("click", () => this.stop());
  }

  async stop() {
    if (this.#job) await askJson(`/api/clips/${this.#job}`, { method: "DELETE" }).catch(() => {});
  }

  clear() {
    this.stop();
    this.video.hidden = true;
    this.video.removeAttribute("src");
  }

  async make(picture, order) {
    await this.stop();
    let facts;
    try {
      facts = await askJson(`/api/clips/${address(picture)}`, { method: "POST", body: order });
      const job = facts.job;
      this.#job = job;
      this.row.hidden = false;
      while (facts.state === "waiting" || facts.state === "running") {
        this.#show(facts);
        await new Promise((done) => setTimeout(done, ASK_EVERY_MS));
        facts = await askJson(`/api/clips/${job}`);
      }
      if (this.#job !== job) return;
      this.#job = null;
      this.row.hidden = true;
      if (facts.state === "failed") throw new Error(facts.message);
      if (facts.state === "stopped") {
        this.tell("The clip was stopped.", {});
        return;
      }
      this.#deliver(`/api/clips/${job}/file`, picture, order);
    } catch (error) {
      this.row.hidden = true;
      this.tell(`No clip: ${error.message}`, { wrong: true });
    }
  }

  #show({ done, total }) {
    this.bar.max = total;
    this.bar.value = done;
    this.text.textContent = `${done} of ${total} frames`;
  }

  #deliver(url, picture, order) {
    if (!order.preview) {
      save(url, `${picture.name.replace(/\.[^.]*$/, "")}.${SUFFIXES[order.format]}`);
      this.tell("The clip is made.", {});
      return;
    }
    this.video.hidden = false;
    this.video.src = url;
    this.video.play().catch(() => {}); // browsers may want a click first
    this.tell("The preview is ready.", {});
  }
}
