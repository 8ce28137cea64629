// The page: modes, what is shown when, and the buttons.

import { address, ask } from "./api.js";
import { Clips } from "./clips.js";
import { Documents } from "./documents.js";
import { offerExports } from "./exports.js";
import { Flow } from "./flow.js";
import { AnimateBoard, MoveBoard } from "./guidance.js";
import { CanvasKeys, Pointer } from "./hands.js";
import { Objects } from "./objects.js";
import { fillObjects, fillPoints } from "./panel.js";
import { Pictures } from "./pictures.js";
import { TimeLine } from "./timeline.js";
import { View } from "./view.js";

const at = (id) => document.getElementById(id);
const HINTS = {
  move: "Drag to draw an arrow; click for a point that stays. Drag an arrow's ends to change it.",
  annotate: "Click on the object; right-click on what is not it. Two clicks or more let the model look closer.",
  animate: "Choose a frame and draw or change arrows: they say how far their points are from where the picture has them.",
};

// The cookie holds the key now: it need not stay in the address.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

let mode = "move", draft = null, selected = null, opening = null;
const view = new View(at("canvas"));

function tell(text, { busy = false, wrong = false } = {}) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
  at("busy").hidden = !busy;
}

function choice(dialog) {
  return new Promise((done) => {
    dialog.addEventListener("close", () => done(dialog.returnValue || "mine"), { once: true });
    dialog.showModal();
  });
}

const pictures = new Pictures(at("pictures"), open, tell);
const overview = await pictures.load().catch((error) => {
  tell(error.message, { wrong: true });
  throw error;
});
at("model").textContent = `Model: ${overview.model}`;

const documents = new Documents(overview.session, () => choice(at("conflict")));
const boards = { move: new MoveBoard(documents), animate: new AnimateBoard(documents) };
const objects = new Objects(documents, (text, options) => mode === "annotate" && tell(text, options));
const clips = new Clips(
  {
    row: at("clip-row"), bar: at("clip-progress"), text: at("clip-text"), stopButton: at("stop-clip"),
    film: at("film"), video: at("clip"), closeButton: at("close-film"), canvas: at("canvas"),
  },
  tell,
);
const board = () => boards[mode];

const timeLine = new TimeLine(boards.animate, clips, documents, refresh);
const flow = new Flow(view, documents, {
  tell,
  isWanted: () => mode !== "annotate" && count(shownGuidance()) > 0,
  changed(found) {
    at("radius").textContent = found ? `full colour: ${found.radius.toFixed(1)} px` : "";
    if (found) showPoints();
  },
});
const count = ({ arrows, stills }) => arrows.length + stills.length;

// ---- showing

function shownGuidance() {
  const guidance = board().guidance;
  if (!draft) return guidance;
  const { arrow, handle } = draft;
  const arrows = guidance.arrows.map((each) => [...each]), stills = guidance.stills.map((each) => [...each]);
  if (!handle) arrows.push(arrow);
  else if (handle.of === "arrow") arrows[handle.place] = arrow;
  else stills[handle.place] = arrow.slice(0, 2);
  return { arrows, stills };
}

function showPoints() {
  fillPoints(at("points"), board().guidance, draft ? null : flow.answer, {
    select: (name) => {
      selected = selected === name ? null : name;
      showMarks();
    },
    remove: (kind, place) => {
      selected = null;
      board().remove(kind, place);
    },
  });
}

function showMarks() {
  const marks = { arrows: [], stills: [], positive: [], negative: [], selected };
  if (mode === "annotate") {
    const object = objects.all[objects.active];
    marks.positive = object?.positive ?? [];
    marks.negative = object?.negative ?? [];
    view.masks = objects.pictures();
  } else {
    const shown = shownGuidance();
    marks.arrows = shown.arrows;
    marks.stills = shown.stills;
    view.masks = [];
  }
  view.marks = marks;
  view.draw();
}

// Everything that depends on the document, after each change of it.
function refresh() {
  if (!documents.current) return;
  clips.closePreview(); // it shows what was, over what is
  at("undo").disabled = !documents.canUndo;
  at("redo").disabled = !documents.canRedo;
  pictures.count(documents.picture, documents.current);
  if (mode === "annotate") {
    objects.refresh();
    fillObjects(at("objects"), objects, {
      activate: (place) => {
        objects.active = place;
        refresh();
      },
      rename: (place, label) => objects.rename(place, label),
      endRename: () => objects.endRename(),
      remove: (place) => objects.remove(place),
    });
    flow.hide();
  } else {
    if (mode === "animate") timeLine.show();
    flow.ask(shownGuidance());
    showPoints();
  }
  showMarks();
}

function setMode(next) {
  mode = next;
  draft = selected = null;
  keys.reset();
  at("export").open = false;
  if (mode !== "animate") clips.leave();
  tell(""); // what was said was about the other mode
  document.querySelector(`input[name="mode"][value="${mode}"]`).checked = true;
  at("points-panel").hidden = mode === "annotate";
  at("objects-panel").hidden = mode !== "annotate";
  at("time-panel").hidden = mode !== "animate";
  at("show-flow-label").hidden = mode === "annotate";
  at("hint").textContent = HINTS[mode];
  if (!documents.current) return;
  const guidance = documents.current.guidance;
  // The arrows that were drawn already are a script to begin with.
  if (mode === "animate" && !documents.current.script && guidance.arrows.length) boards.animate.begin(guidance);
  else refresh();
}

async function open(picture) {
  const mine = (opening = {});
  const isStale = () => opening !== mine;
  tell(`Opening ${picture.name} …`, { busy: true });
  try {
    const blob = await (await ask(`/api/pictures/${address(picture)}`)).blob();
    const bitmap = await createImageBitmap(blob);
    if (isStale() || !(await documents.open(picture, isStale))) return;
    clips.clear();
    draft = selected = null;
    keys.reset();
    view.setImage(bitmap, documents.size.width, documents.size.height);
    flow.clear();
    boards.animate.frame = 0;
    objects.opened();
    pictures.show(picture);
    at("canvas").setAttribute("aria-label", `${picture.name}, ${view.width} by ${view.height} pixels`);
    history.replaceState(null, "", `#${address(picture)}`);
    tell("");
    setMode(mode);
  } catch (error) {
    if (!isStale()) tell(`Cannot open ${picture.name}: ${error.message}`, { wrong: true });
  }
}

// ---- hands

const actions = {
  drawsArrows: () => mode !== "annotate",
  handles() {
    if (mode === "annotate") {
      const { positive = [], negative = [] } = objects.all[objects.active] ?? {};
      const points = (sign, all) => all.map((numbers, place) => ({ of: sign, kind: sign, place, numbers, x: numbers[0], y: numbers[1] }));
      return [...points("positive", positive), ...points("negative", negative)];
    }
    const { arrows, stills } = board().guidance;
    return [
      ...arrows.map((numbers, place) => ({ of: "arrow", kind: "foot", place, numbers, x: numbers[0], y: numbers[1] })),
      ...arrows.map((numbers, place) => ({ of: "arrow", kind: "head", place, numbers, x: numbers[0] + numbers[2], y: numbers[1] + numbers[3] })),
      ...stills.map((numbers, place) => ({ of: "still", kind: "still", place, numbers, x: numbers[0], y: numbers[1] })),
    ];
  },
  draft(arrow, handle = null) {
    if (!arrow && !draft) return;
    draft = arrow && { arrow, handle };
    if (draft) flow.ask(shownGuidance());
    showMarks();
  },
  arrow(numbers, handle) {
    const rounded = numbers.map((value) => Math.round(value * 100) / 100);
    if (!handle) board().add("arrow", rounded);
    else board().set(handle.of, handle.place, handle.of === "arrow" ? rounded : rounded.slice(0, 2));
  },
  click(button, point, handle) {
    if (mode === "annotate") {
      const sign = button === "first" ? document.querySelector('input[name="sign"]:checked').value : "negative";
      objects.mark(sign, point);
    } else if (button === "second") {
      if (handle) actions.remove(handle);
    } else if (handle) {
      selected = `${handle.of} ${handle.place}`;
      showMarks();
    } else {
      board().add("still", point);
    }
  },
  remove(handle) {
    selected = null;
    if (mode === "annotate") objects.unmark(handle.of, handle.place);
    else board().remove(handle.of, handle.place);
  },
  started() {
    tell("An arrow starts here: move the cursor, then press Enter.");
  },
  cursor() {
    at("place").textContent = view.cursor ? `x ${Math.round(view.cursor[0])}, y ${Math.round(view.cursor[1])}` : "";
  },
};
new Pointer(view, actions);
const keys = new CanvasKeys(view, actions);

// ---- buttons and keys of the page

const undo = () => documents.undo(), redo = () => documents.redo();
const newObject = () => documents.current && mode === "annotate" && objects.add();
const addKey = () => documents.current && mode === "animate" && boards.animate.addKey();

const clicks = {
  undo, redo, "new-object": newObject, fit: () => view.fit(), "zoom-in": () => view.zoom(1.25), "zoom-out": () => view.zoom(0.8),
  previous: () => pictures.step(-1), next: () => pictures.step(1), "keys-button": () => at("keys").showModal(),
};
for (const [id, act] of Object.entries(clicks)) at(id).addEventListener("click", act);
offerExports(at("export"), documents, tell);
for (const radio of document.querySelectorAll('input[name="mode"]')) radio.addEventListener("change", () => setMode(radio.value));
at("show-flow").addEventListener("change", () => (flow.visible = at("show-flow").checked));
at("add").addEventListener("change", async () => {
  await pictures.add([...at("add").files]);
  at("add").value = "";
});
pictures.takeDrops(at("stage"));

// Single characters count on the picture alone: elsewhere they belong to whoever reads or speaks to the page.
const letters = {
  1: () => setMode("move"), 2: () => setMode("annotate"), 3: () => setMode("animate"), n: newObject, k: addKey, p: () => mode === "animate" && timeLine.order(true),
  ",": () => mode === "animate" && timeLine.step(-1), ".": () => mode === "animate" && timeLine.step(1),
  "?": () => at("keys").showModal(),
};
const pages = { PageUp: () => pictures.step(-1), PageDown: () => pictures.step(1) };
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.altKey) return;
  if (event.target.matches('input[type="text"], input[type="number"], select, video')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") (event.shiftKey ? redo : undo)();
    else if (key === "y") redo();
    else return;
  } else if (pages[key]) pages[key]();
  else if (letters[key] && event.target.closest?.("#stage")) letters[key]();
  else return;
  event.preventDefault();
});

documents.addEventListener("change", refresh);
documents.addEventListener("saving", ({ detail: { state, text } }) => {
  at("saved").textContent = { saving: "Saving …", saved: "Saved", wrong: text }[state];
  at("saved").classList.toggle("wrong", state === "wrong");
});

// ---- begin: with the picture of the address, or the first

setMode("move");
const wanted = pictures.all.find((each) => `#${address(each)}` === location.hash) ?? pictures.all[0];
if (wanted) await open(wanted);
else tell("There is no picture in this folder: add some.");
document.body.dataset.ready = "yes";
