// Boards of arrows and still points: one of the picture, one of a moment of its animation. Both are changed by the same
// hands (hands.js) and shown by the same panel.

const copy = (value) => structuredClone(value);

export class MoveBoard {
  constructor(documents) {
    this.documents = documents;
  }

  get guidance() {
    return this.documents.current.guidance;
  }

  #change(edit) {
    const next = copy(this.documents.current);
    edit(next.guidance);
    this.documents.change(next);
  }

  add(kind, numbers) {
    this.#change((guidance) => guidance[`${kind}s`].push(numbers));
  }

  set(kind, place, numbers) {
    this.#change((guidance) => (guidance[`${kind}s`][place] = numbers));
  }

  remove(kind, place) {
    this.#change((guidance) => guidance[`${kind}s`].splice(place, 1));
  }
}

// Guidance of a moment: linear between key frames, as the server has it.
export function guidanceAt(script, frame) {
  const keys = script.keys;
  const after = keys.findIndex((key) => key.frame > frame);
  if (after <= 0) {
    const key = after < 0 ? keys[keys.length - 1] : keys[0];
    return { arrows: copy(key.arrows), stills: copy(key.stills) };
  }
  const one = keys[after - 1], other = keys[after], share = (frame - one.frame) / (other.frame - one.frame);
  const between = (from, to) => from.map((row, place) => row.map((value, axis) => value + share * (to[place][axis] - value)));
  return { arrows: between(one.arrows, other.arrows), stills: between(one.stills, other.stills) };
}

const REST = 0, REACH = 12, BACK = 24;

// A first script: from rest to the arrows and back.
export function scriptOf(guidance) {
  const rest = guidance.arrows.map(([x, y]) => [x, y, 0, 0]);
  const key = (frame, arrows) => ({ frame, arrows: copy(arrows), stills: copy(guidance.stills) });
  return { fps: 12, keys: [key(REST, rest), key(REACH, guidance.arrows), key(BACK, rest)] };
}

export class AnimateBoard {
  constructor(documents) {
    this.documents = documents;
    this.frame = 0;
  }

  get script() {
    return this.documents.current.script;
  }

  get last() {
    return this.script ? this.script.keys[this.script.keys.length - 1].frame : BACK;
  }

  // The earliest frame that the clip can end with: the one after the last key frame but one.
  get earliestEnd() {
    return (this.script?.keys.at(-2)?.frame ?? 0) + 1;
  }

  get guidance() {
    return this.script ? guidanceAt(this.script, this.frame) : { arrows: [], stills: [] };
  }

  keyAt(frame, script = this.script) {
    return script ? script.keys.findIndex((key) => key.frame === frame) : -1;
  }

  begin(guidance) {
    this.frame = REACH;
    this.#write(scriptOf(guidance));
  }

  // A new arrow belongs to every key frame: at rest in the others, so that it is known what goes over into what.
  add(kind, numbers) {
    if (!this.script) {
      this.begin({ arrows: kind === "arrow" ? [numbers] : [], stills: kind === "still" ? [numbers] : [] });
      return;
    }
    this.#edit((script, here) =>
      script.keys.forEach((key, place) => {
        const rests = kind === "arrow" && place !== here;
        key[`${kind}s`].push(rests ? [numbers[0], numbers[1], 0, 0] : [...numbers]);
      }),
    );
  }

  set(kind, place, numbers) {
    this.#edit((script, here) => (script.keys[here][`${kind}s`][place] = numbers));
  }

  remove(kind, place) {
    this.#edit((script) => script.keys.forEach((key) => key[`${kind}s`].splice(place, 1)));
  }

  addKey() {
    if (this.script && this.keyAt(this.frame) < 0) this.#edit(() => {});
  }

  removeKey() {
    const here = this.keyAt(this.frame);
    if (here < 0 || this.script.keys.length < 2) return;
    const script = copy(this.script);
    script.keys.splice(here, 1);
    this.#write(script);
    this.frame = Math.min(this.frame, this.last);
  }

  setLength(last) {
    const script = copy(this.script);
    script.keys.at(-1).frame = last;
    this.#write(script);
    this.frame = Math.min(this.frame, this.last);
  }

  setSpeed(fps) {
    this.#write({ ...copy(this.script), fps });
  }

  #edit(edit) {
    const script = copy(this.script);
    let here = this.keyAt(this.frame, script);
    if (here < 0) {
      const key = { frame: this.frame, ...guidanceAt(script, this.frame) };
      here = script.keys.findIndex((each) => each.frame > this.frame);
      if (here < 0) here = script.keys.length;
      script.keys.splice(here, 0, key);
    }
    edit(script, here);
    this.#write(script);
  }

  #write(script) {
    this.documents.change({ ...copy(this.documents.current), script });
  }
}
