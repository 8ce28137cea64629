// The canvas: a picture with zoom and pan, and what lies over it. All coordinates are pixels of the original picture,
// (0, 0) the centre of the upper left one.

const RED = "#e61e1e", BLUE = "#145aeb", GREEN = "#1eaa3c", NEGATIVE = "#dc2828", RIM = "#ffffff", INK = "#202124";
const MOST_ZOOM = 64;

export class View {
  #image = null;
  #scale = 1;
  #left = 0;
  #top = 0;
  #fitted = true;
  #waiting = false;

  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.flow = null; // a bitmap over the whole picture
    this.masks = []; // {canvas} of each object
    this.marks = { arrows: [], stills: [], positive: [], negative: [], selected: null };
    this.cursor = null;
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  setImage(bitmap, width, height) {
    this.#image = bitmap;
    this.width = width;
    this.height = height;
    this.flow = null;
    this.masks = [];
    this.cursor = null;
    this.fit();
  }

  get ready() {
    return this.#image !== null;
  }

  fit() {
    this.#fitted = true;
    const box = this.#box();
    if (this.#image && box.width && box.height) {
      this.#scale = Math.min(box.width / this.width, box.height / this.height) * 0.97;
      this.#left = (box.width - this.width * this.#scale) / 2;
      this.#top = (box.height - this.height * this.#scale) / 2;
    }
    this.draw();
  }

  // Zoom around a point of the canvas, in CSS pixels; around its middle without one.
  zoom(factor, at) {
    if (!this.#image) return;
    const box = this.#box();
    const [x, y] = at ?? [box.width / 2, box.height / 2];
    const least = 0.5 * Math.min(1, box.width / this.width, box.height / this.height);
    const scale = Math.min(MOST_ZOOM, Math.max(least, this.#scale * factor));
    this.#left = x - ((x - this.#left) * scale) / this.#scale;
    this.#top = y - ((y - this.#top) * scale) / this.#scale;
    this.#scale = scale;
    this.#fitted = false;
    this.draw();
  }

  pan(dx, dy) {
    this.#left += dx;
    this.#top += dy;
    this.#fitted = false;
    this.draw();
  }

  get scale() {
    return this.#scale;
  }

  toImage(x, y) {
    return [(x - this.#left) / this.#scale - 0.5, (y - this.#top) / this.#scale - 0.5];
  }

  toCanvas(x, y) {
    return [(x + 0.5) * this.#scale + this.#left, (y + 0.5) * this.#scale + this.#top];
  }

  // The nearest point within the picture, rounded to 1/100 pixel.
  inside(x, y) {
    const round = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 100) / 100;
    return [round(x, this.width - 1), round(y, this.height - 1)];
  }

  // Whether a place of the canvas shows a pixel of the picture.
  shows(left, top) {
    const [x, y] = this.toImage(left, top);
    return Math.abs(x - (this.width - 1) / 2) <= this.width / 2 && Math.abs(y - (this.height - 1) / 2) <= this.height / 2;
  }

  setCursor(x, y) {
    this.cursor = this.inside(x, y);
    const [left, top] = this.toCanvas(...this.cursor), box = this.#box(), edge = 24;
    const outside = (place, most) => (place < edge ? edge - place : place > most - edge ? most - edge - place : 0);
    this.pan(outside(left, box.width), outside(top, box.height)); // keep it in sight
  }

  draw() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#paint();
    });
  }

  #box() {
    return this.canvas.getBoundingClientRect();
  }

  #resize() {
    const box = this.#box(), ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(box.width * ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * ratio));
    if (this.#fitted) this.fit();
    else this.draw();
  }

  #paint() {
    const { context, canvas } = this, ratio = devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    // Where the picture lies, for whoever looks at the page from outside.
    Object.assign(canvas.dataset, { scale: this.#scale, left: this.#left, top: this.#top });
    if (!this.#image) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const frame = [this.#left, this.#top, this.width * this.#scale, this.height * this.#scale];
    context.imageSmoothingEnabled = this.#scale * ratio < 3;
    context.drawImage(this.#image, ...frame);
    for (const mask of this.masks) if (mask) context.drawImage(mask, ...frame);
    context.imageSmoothingEnabled = true;
    if (this.flow) context.drawImage(this.flow, ...frame);
    const { arrows, stills, positive, negative, selected } = this.marks;
    stills.forEach(([x, y], place) => this.#disc(x, y, BLUE, selected === `still ${place}`));
    arrows.forEach((arrow, place) => this.#arrow(arrow, selected === `arrow ${place}`));
    positive.forEach(([x, y]) => this.#disc(x, y, GREEN));
    negative.forEach(([x, y]) => this.#square(x, y));
    if (this.cursor) this.#crosshair(...this.cursor);
  }

  #disc(x, y, colour, selected = false) {
    const [left, top] = this.toCanvas(x, y);
    for (const [radius, fill] of [[selected ? 10 : 7.5, RIM], [selected ? 8.5 : 6, selected ? INK : colour], [6, colour]]) {
      this.context.beginPath();
      this.context.arc(left, top, radius, 0, 2 * Math.PI);
      this.context.fillStyle = fill;
      this.context.fill();
    }
  }

  #square(x, y) {
    const [left, top] = this.toCanvas(x, y);
    for (const [half, fill] of [[7, RIM], [5.5, NEGATIVE]]) {
      this.context.fillStyle = fill;
      this.context.fillRect(left - half, top - half, 2 * half, 2 * half);
    }
  }

  #arrow([x, y, dx, dy], selected = false) {
    const [left, top] = this.toCanvas(x, y), [right, bottom] = this.toCanvas(x + dx, y + dy);
    const length = Math.hypot(right - left, bottom - top), angle = Math.atan2(bottom - top, right - left);
    const tip = Math.min(12, length / 2);
    const { context } = this;
    context.lineCap = context.lineJoin = "round";
    for (const [width, colour] of [[selected ? 9 : 6, selected ? INK : RIM], [selected ? 6 : 3, selected ? RIM : RED], [3, RED]]) {
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(left, top, 1 + width / 2, 0, 2 * Math.PI);
      context.fill();
      context.beginPath();
      context.moveTo(left, top);
      context.lineTo(right, bottom);
      for (const side of [-0.5, 0.5]) {
        context.moveTo(right, bottom);
        context.lineTo(right - tip * Math.cos(angle + side), bottom - tip * Math.sin(angle + side));
      }
      context.stroke();
    }
  }

  #crosshair(x, y) {
    const [left, top] = this.toCanvas(x, y);
    for (const [width, colour] of [[4, RIM], [1.5, INK]]) {
      this.context.lineWidth = width;
      this.context.strokeStyle = colour;
      this.context.beginPath();
      for (const [ox, oy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        this.context.moveTo(left + 4 * ox, top + 4 * oy);
        this.context.lineTo(left + 14 * ox, top + 14 * oy);
      }
      this.context.stroke();
    }
  }
}
