// The lists beside the picture. They are made anew after every change; what had the focus keeps it.

import { COLOURS } from "./objects.js";

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Fill a list again without losing the focus: elements are known by their data-id.
export function refill(list, items) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  list.replaceChildren(...items);
  if (focused) (list.querySelector(`[data-id="${CSS.escape(focused)}"]`) ?? list.closest("section, nav")?.querySelector("button, canvas"))?.focus();
}

const number = (value) => (Math.round(value * 10) / 10).toString().replace("-", "−");
const vector = ([dx, dy]) => `(${number(dx)}, ${number(dy)})`;

export function fillPoints(list, guidance, answer, { select, remove }) {
  const items = [];
  const add = (kind, place, title, text, short) => {
    const name = `${kind} ${place}`;
    const pick = element("button", { type: "button", textContent: title });
    pick.dataset.id = name;
    pick.addEventListener("click", () => select(name));
    const gone = element("button", { type: "button", textContent: "✕" });
    gone.dataset.id = `remove ${name}`;
    gone.setAttribute("aria-label", `Remove ${title}`);
    gone.addEventListener("click", () => remove(kind, place));
    items.push(element("li", {}, pick, gone, element("small", { textContent: text, className: short ? "short" : "" })));
  };
  guidance.arrows.forEach(([x, y, dx, dy], place) => {
    const point = answer?.points[place];
    const share = point?.share == null ? "" : `, ${number(Math.round(100 * point.share))} % along it`;
    const predicted = point ? `; predicted ${vector(point.predicted)}${share}` : "";
    const short = point?.share != null && point.share < 0.5;
    add("arrow", place, `Arrow ${place + 1} at ${vector([x, y])}`, `asked for ${vector([dx, dy])} px${predicted}`, short);
  });
  guidance.stills.forEach(([x, y], place) => {
    const point = answer?.points[guidance.arrows.length + place];
    const predicted = point ? `predicted ${vector(point.predicted)} px` : "";
    add("still", place, `Still point ${place + 1} at ${vector([x, y])}`, predicted, false);
  });
  if (!items.length) items.push(element("li", {}, element("small", { textContent: "None yet: drag on the picture." })));
  refill(list, items);
}

export function fillObjects(list, objects, { activate, rename, endRename, remove }) {
  // What changes while somebody types a label (the label itself, a mask) must take neither field nor text away.
  const shown = JSON.stringify([objects.active, objects.all.map(({ positive, negative }) => [positive, negative])]);
  if (list.dataset.shown === shown) {
    objects.all.forEach((object, place) => showLabel(list.children[place], object, place));
    return;
  }
  list.dataset.shown = shown;
  refill(
    list,
    objects.all.map((object, place) => {
      const swatch = element("span", { className: `swatch c${place % COLOURS.length}` });
      const pick = element("button", { type: "button" }, swatch, ` ${place + 1}`);
      pick.dataset.id = `pick ${place}`;
      pick.setAttribute("aria-pressed", String(place === objects.active));
      pick.addEventListener("click", () => activate(place));
      const label = element("input", { type: "text", maxLength: 100 });
      label.dataset.id = `label ${place}`;
      label.setAttribute("aria-label", `Label of object ${place + 1}`);
      label.addEventListener("input", () => rename(place, label.value.trim()));
      label.addEventListener("change", () => {
        endRename();
        label.value = objects.all[place].label; // an object has a label: an empty one was not taken
      });
      const gone = element("button", { type: "button", textContent: "✕" });
      gone.dataset.id = `remove ${place}`;
      gone.setAttribute("aria-label", `Remove object ${place + 1}`);
      gone.addEventListener("click", () => remove(place));
      const { positive, negative } = object;
      const text = `${positive.length} on it, ${negative.length} beside it`;
      const item = element("li", {}, element("div", { className: "line" }, pick, label), gone, element("small", { textContent: text }));
      showLabel(item, object, place);
      return item;
    }),
  );
}

function showLabel(item, { label }, place) {
  const field = item.querySelector("input"), typed = field.value.trim();
  item.querySelector("button").setAttribute("aria-label", `Object ${place + 1}, ${label}`);
  const beingTyped = field === document.activeElement && (!typed || typed === label);
  if (!beingTyped) field.value = label;
}

export function fillKeys(list, board, choose) {
  const keys = board.script?.keys ?? [];
  refill(
    list,
    keys.map(({ frame }) => {
      const pick = element("button", { type: "button", textContent: String(frame) });
      pick.dataset.id = `key ${frame}`;
      pick.setAttribute("aria-label", `Key frame ${frame}`);
      pick.setAttribute("aria-pressed", String(frame === board.frame));
      pick.addEventListener("click", () => choose(frame));
      return element("li", {}, pick);
    }),
  );
}
