// What was done to each picture: history for undo, and saving after every change.
//
// A change is first kept in the browser (localStorage), then sent; it leaves the browser's store when the server has
// it. So neither a tab nor a server that dies loses it: whichever comes back first finds it.

import { address, askJson } from "./api.js";

const RETRY_MS = 2000;
const MOST_STEPS = 500;

const content = (document) => JSON.stringify({ ...document, revision: 0 });

export class Documents extends EventTarget {
  #slots = new Map();
  #slot = null;

  constructor(session, resolveConflict) {
    super();
    this.session = session;
    this.resolveConflict = resolveConflict; // async () => "mine" or "theirs"
  }

  get current() {
    return this.#slot?.document ?? null;
  }

  get picture() {
    return this.#slot?.picture ?? null;
  }

  get size() {
    return { width: this.#slot.width, height: this.#slot.height };
  }

  get canUndo() {
    return Boolean(this.#slot?.undo.length);
  }

  get canRedo() {
    return Boolean(this.#slot?.redo.length);
  }

  // Read a picture's document; `isStale` tells whether another picture was chosen meanwhile.
  async open(picture, isStale = () => false) {
    const key = address(picture);
    let slot = this.#slots.get(key);
    if (!slot || (!slot.dirty && !slot.sending)) {
      const answer = await askJson(`/api/documents/${key}`);
      if (isStale()) return false;
      const same = slot && content(slot.document) === content(answer.document);
      slot = {
        key, picture, width: answer.width, height: answer.height, document: answer.document,
        revision: answer.document.revision, undo: same ? slot.undo : [], redo: same ? slot.redo : [],
        dirty: false, sending: false, sent: null,
      };
      this.#slots.set(key, slot);
      await this.#takeUp(slot);
    }
    if (isStale()) return false;
    this.#slot = slot;
    return true;
  }

  // Make a change that can be undone.
  change(next) {
    const slot = this.#slot;
    if (content(next) === content(slot.document)) return;
    slot.undo.push(slot.document);
    if (slot.undo.length > MOST_STEPS) slot.undo.shift();
    slot.redo = [];
    this.#put(slot, next);
  }

  // Add what follows from a change (a mask): it belongs to the same step.
  amend(next) {
    this.#put(this.#slot, next);
  }

  undo() {
    this.#step("undo", "redo");
  }

  redo() {
    this.#step("redo", "undo");
  }

  // Wait until everything is on the server, or fail with the reason.
  async saved() {
    const slot = this.#slot;
    if (slot.dirty || slot.sending) await this.#send(slot);
    while (slot.sending) await new Promise((done) => setTimeout(done, 30));
    if (slot.dirty) throw new Error("not saved yet, so nothing can be exported");
  }

  #step(from, to) {
    const slot = this.#slot;
    if (!slot?.[from].length) return;
    slot[to].push(slot.document);
    this.#put(slot, slot[from].pop());
  }

  #put(slot, document) {
    slot.document = document;
    slot.dirty = true;
    this.#remember(slot);
    this.dispatchEvent(new Event("change"));
    this.#send(slot);
  }

  async #send(slot) {
    if (slot.sending) return;
    slot.sending = true;
    clearTimeout(slot.timer);
    let before = null;
    try {
      while (slot.dirty) {
        slot.dirty = false;
        before = slot.sent;
        slot.sent = slot.document; // until it is answered, nobody knows whether it arrived
        this.#tell("saving");
        const body = { ...slot.document, revision: slot.revision };
        slot.revision = (await askJson(`/api/documents/${slot.key}`, { method: "PUT", body })).revision;
        slot.sent = null;
        if (slot.dirty) this.#remember(slot);
        else this.#forget(slot);
      }
      this.#tell("saved");
    } catch (error) {
      slot.dirty = true;
      if (error.status === 409) {
        slot.sent = before;
        slot.sending = false;
        await this.#settle(slot);
        return;
      }
      this.#tell("wrong", `Not saved yet: ${error.message}`);
      slot.timer = setTimeout(() => this.#send(slot), RETRY_MS);
    } finally {
      slot.sending = false;
    }
  }

  // Two tabs changed one picture: ask whose counts.
  async #settle(slot) {
    const theirs = (await askJson(`/api/documents/${slot.key}`)).document;
    const whose = content(theirs) === content(slot.document) ? "theirs" : await this.#whose(slot, theirs);
    slot.revision = theirs.revision;
    if (whose === "mine") {
      await this.#send(slot);
      return;
    }
    slot.undo.push(slot.document);
    slot.redo = [];
    slot.document = theirs;
    slot.dirty = false;
    this.#forget(slot);
    this.#tell("saved");
    this.dispatchEvent(new Event("change"));
  }

  // What the server has may be what this page sent, or the page before its reload, without hearing of its arrival.
  async #whose(slot, theirs) {
    return slot.sent && content(slot.sent) === content(theirs) ? "mine" : this.resolveConflict();
  }

  // Take up a change of before that the server has not got.
  async #takeUp(slot) {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(this.#place(slot)));
    } catch {
      // no store, or nothing that can be read: the server's document counts
    }
    if (!kept || content(kept.document) === content(slot.document)) {
      this.#forget(slot);
      return;
    }
    const theirs = slot.document;
    slot.sent = kept.sent;
    if (kept.revision !== slot.revision && (await this.#whose(slot, theirs)) !== "mine") {
      this.#forget(slot);
      return;
    }
    slot.undo.push(theirs);
    slot.document = kept.document;
    slot.dirty = true;
    this.#send(slot);
  }

  #place(slot) {
    return `studio ${this.session} ${slot.key}`;
  }

  #remember(slot) {
    try {
      const { revision, document, sent } = slot;
      localStorage.setItem(this.#place(slot), JSON.stringify({ revision, document, sent }));
    } catch {
      // full or forbidden: the server's copy, written in a moment, is the one that counts
    }
  }

  #forget(slot) {
    try {
      localStorage.removeItem(this.#place(slot));
    } catch {
      // nothing was kept then
    }
  }

  #tell(state, text = "") {
    this.dispatchEvent(new CustomEvent("saving", { detail: { state, text } }));
  }
}
