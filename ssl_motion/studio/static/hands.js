// Pointer and keyboard on the canvas. Both end in the same few calls of `actions`, where a handle is what can be taken
// hold of (the end of an arrow, a point) and stands for what was there before, or null:
//   drawsArrows(), handles()       what the mode is, and what there is to take hold of
//   draft(arrow | null, handle)    an arrow is being drawn, or its end is being moved; or no longer
//   arrow(numbers, handle)         it is done
//   click(kind, [x, y], handle)    a point: kind "first" or "second", as the buttons are, or "second key"
//   remove(handle), started(), cursor()   a handle goes; an arrow was begun by keys; the cursor moved

const NEAR = 12; // CSS pixels
const MOVED = 4;

// What can be taken hold of: ends of arrows, points.
export function nearest(view, handles, x, y, reach = NEAR) {
  let best = null, least = reach;
  for (const handle of handles) {
    const [left, top] = view.toCanvas(handle.x, handle.y), far = Math.hypot(left - x, top - y);
    if (far <= least) {
      best = handle;
      least = far;
    }
  }
  return best;
}

export class Pointer {
  #pointers = new Map();
  #grip = null; // what the first pointer does
  #spread = null; // two fingers: middle and distance

  constructor(view, actions) {
    this.view = view;
    this.actions = actions;
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#cancel(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #place(event) {
    const box = this.view.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event) {
    if (!this.view.ready) return;
    const place = this.#place(event);
    this.view.canvas.focus({ preventScroll: true });
    this.view.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, place);
    if (this.#pointers.size === 2) {
      this.#drop();
      this.#spread = this.#measure();
      return;
    }
    if (this.#pointers.size > 2) return;
    this.view.cursor = null;
    if (event.button === 1) {
      event.preventDefault();
      this.#grip = { what: "pan", last: place };
    } else {
      const handle = nearest(this.view, this.actions.handles(), ...place);
      if (!handle && !this.view.shows(...place)) return; // the margin; a head may lie there
      this.#grip = { what: event.button === 2 ? "second" : "first", from: place, handle, moved: false };
    }
  }

  #move(event) {
    if (!this.#pointers.has(event.pointerId)) return;
    const place = this.#place(event);
    this.#pointers.set(event.pointerId, place);
    if (this.#spread) {
      const now = this.#measure(), before = this.#spread;
      this.view.zoom(now.distance / before.distance, now.middle);
      this.view.pan(now.middle[0] - before.middle[0], now.middle[1] - before.middle[1]);
      this.#spread = now;
      return;
    }
    const grip = this.#grip;
    if (!grip) return;
    if (grip.what === "pan") {
      this.view.pan(place[0] - grip.last[0], place[1] - grip.last[1]);
      grip.last = place;
      return;
    }
    grip.moved ||= Math.hypot(place[0] - grip.from[0], place[1] - grip.from[1]) > MOVED;
    if (grip.moved && grip.what === "first" && this.actions.drawsArrows()) this.actions.draft(this.#arrow(grip, place), grip.handle);
  }

  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#spread) {
      if (this.#pointers.size < 2) this.#spread = null;
      return;
    }
    const grip = this.#grip, place = this.#place(event);
    this.#grip = null;
    if (!grip || grip.what === "pan") return;
    if (grip.what === "first" && grip.moved && this.actions.drawsArrows()) {
      this.actions.draft(null);
      this.actions.arrow(this.#arrow(grip, place), grip.handle);
    } else if (!grip.moved) {
      const point = this.view.inside(...this.view.toImage(...place));
      this.actions.click(grip.what, point, grip.handle);
    }
  }

  #cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#spread = null;
    this.#drop();
  }

  #drop() {
    this.#grip = null;
    this.actions.draft(null);
  }

  // The arrow that a drag means: a new one, or one whose foot or head (or a still point) is being moved.
  #arrow({ from, handle }, place) {
    const [x, y] = this.view.toImage(...place);
    if (handle?.kind === "head") {
      const [footX, footY] = handle.numbers;
      return [footX, footY, x - footX, y - footY];
    }
    if (handle) return [...this.view.inside(x, y), ...handle.numbers.slice(2)];
    const [footX, footY] = this.view.inside(...this.view.toImage(...from));
    return [footX, footY, x - footX, y - footY];
  }

  #measure() {
    const [[ax, ay], [bx, by]] = [...this.#pointers.values()];
    return { middle: [(ax + bx) / 2, (ay + by) / 2], distance: Math.max(1, Math.hypot(ax - bx, ay - by)) };
  }

  #wheel(event) {
    event.preventDefault();
    this.view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), this.#place(event));
  }
}

const STEP = 12; // CSS pixels that an arrow key moves the cursor by
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class CanvasKeys {
  #foot = null; // of the arrow that was started

  constructor(view, actions) {
    this.view = view;
    this.actions = actions;
    view.canvas.addEventListener("keydown", (event) => this.#press(event));
    view.canvas.addEventListener("focus", () => this.actions.cursor());
  }

  reset() {
    this.#foot = null;
  }

  #press(event) {
    if (!this.view.ready || event.altKey || event.metaKey) return;
    const way = WAYS[event.key];
    if (way && event.ctrlKey) this.view.pan(-40 * way[0], -40 * way[1]);
    else if (way) this.#walk(way, event.shiftKey);
    else if (event.ctrlKey) return;
    else if (event.key === "Enter") this.#enter();
    else if (event.key === " ") this.actions.click("second key", this.#cursor(), null);
    else if (event.key === "Delete" || event.key === "Backspace") this.#remove();
    else if (event.key === "Escape") this.#giveUp();
    else if (event.key === "+" || event.key === "=") this.view.zoom(1.25, this.#middle());
    else if (event.key === "-") this.view.zoom(0.8, this.#middle());
    else if (event.key === "0") this.view.fit();
    else return;
    event.preventDefault();
  }

  #cursor() {
    if (!this.view.cursor) this.view.setCursor(Math.round((this.view.width - 1) / 2), Math.round((this.view.height - 1) / 2));
    return this.view.cursor;
  }

  #middle() {
    return this.view.cursor ? this.view.toCanvas(...this.view.cursor) : undefined;
  }

  #walk([across, down], fine) {
    const step = fine ? 1 : Math.max(1, Math.round(STEP / this.view.scale)), [x, y] = this.#cursor();
    this.view.setCursor(x + across * step, y + down * step);
    this.actions.cursor();
    if (this.#foot) this.actions.draft(this.#arrow(), null);
  }

  #arrow() {
    const [x, y] = this.#cursor(), [footX, footY] = this.#foot;
    return [footX, footY, x - footX, y - footY];
  }

  #enter() {
    if (!this.actions.drawsArrows()) {
      this.actions.click("first", this.#cursor(), null);
    } else if (this.#foot) {
      const arrow = this.#arrow();
      this.#giveUp();
      if (arrow[2] || arrow[3]) this.actions.arrow(arrow, null);
    } else {
      this.#foot = [...this.#cursor()];
      this.actions.started();
    }
  }

  #giveUp() {
    this.#foot = null;
    this.actions.draft(null);
  }

  #remove() {
    const handle = nearest(this.view, this.actions.handles(), ...this.view.toCanvas(...this.#cursor()), Infinity);
    if (handle) this.actions.remove(handle);
  }
}
