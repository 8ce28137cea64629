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

export function fillObjects(list, objects, { activate, rename, remove }) {
  // A mask that comes while somebody types a label must not take the text away.
  const shown = JSON.stringify([objects.active, objects.all.map(({ label, positive, negative }) => [label, positive, negative])]);
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  refill(
    list,
    objects.all.map((object, place) => {
      const swatch = element("span", { className: `swatch c${place % COLOURS.length}` });
      const pick = element("button", { type: "button" }, swatch, ` ${place + 1}`);
      pick.dataset.id = `pick ${place}`;
      pick.setAttribute("aria-label", `Object ${place + 1}, ${object.label}`);
      pick.setAttribute("aria-pressed", String(place === objects.active));
      pick.addEventListener("click", () => activate(place));
      const label = element("input", { type: "text", value: object.label, maxLength: 100 });
      label.dataset.id = `label ${place}`;
      label.setAttribute("aria-label", `Label of object ${place + 1}`);
      label.addEventListener("change", () => rename(place, label.value.trim()));
      const gone = element("button", { type: "button", textContent: "✕" });
      gone.dataset.id = `remove ${place}`;
      gone.setAttribute("aria-label", `Remove object ${place + 1}`);
      gone.addEventListener("click", () => remove(place));
      const { positive, negative } = object;
      const text = `${positive.length} on it, ${negative.length} beside it`;
      return element("li", {}, element("div", { className: "line" }, pick, label), gone, element("small", { textContent: text }));
    }),
  );
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
