// The list of pictures: choosing one, adding some.

import { address, ask, askJson, sameAs } from "./api.js";
import { element, refill } from "./panel.js";

export class Pictures {
  all = [];
  current = null;

  constructor(list, choose, tell) {
    this.list = list;
    this.choose = choose;
    this.tell = tell;
    list.addEventListener("keydown", (event) => this.#walk(event));
  }

  async load() {
    const answer = await askJson("/api/studio");
    this.all = answer.pictures;
    this.#fill();
    return answer;
  }

  show(picture) {
    this.current = picture;
    for (const button of this.list.querySelectorAll("button")) {
      const here = button.dataset.id === address(picture);
      button.setAttribute("aria-current", String(here));
      if (here) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    this.#stopAtCurrent();
  }

  // The list is one stop of Tab, however long it is: arrow keys go on within it.
  #stopAt(button) {
    for (const each of this.list.querySelectorAll("button")) each.tabIndex = each === button ? 0 : -1;
  }

  #stopAtCurrent() {
    this.#stopAt(this.list.querySelector('[aria-current="true"]') ?? this.list.querySelector("button"));
  }

  #walk(event) {
    const buttons = [...this.list.querySelectorAll("button")], here = buttons.indexOf(document.activeElement);
    const ways = { ArrowUp: here - 1, ArrowLeft: here - 1, ArrowDown: here + 1, ArrowRight: here + 1, Home: 0, End: buttons.length - 1 };
    const next = buttons[ways[event.key]];
    if (!next || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#stopAt(next);
    next.focus();
  }

  // Keep the counts below the pictures true.
  count(picture, document) {
    const known = this.all.find((each) => sameAs(each, picture));
    if (!known) return;
    known.arrows = document.guidance.arrows.length + document.guidance.stills.length;
    known.objects = document.objects.length;
    const small = this.list.querySelector(`[data-id="${CSS.escape(address(picture))}"] small`);
    if (small) small.textContent = this.#facts(known);
  }

  step(by) {
    const place = this.all.findIndex((each) => sameAs(each, this.current)) + by;
    if (this.all[place]) this.choose(this.all[place]);
  }

  async add(files) {
    for (const file of files) {
      this.tell(`Adding ${file.name} …`, { busy: true });
      try {
        const path = `/api/pictures?name=${encodeURIComponent(file.name)}`;
        const added = await (await ask(path, { method: "POST", raw: file })).json();
        await this.load();
        this.tell(`${added.name} was added.`, {});
        await this.choose(added);
      } catch (error) {
        this.tell(`Not added: ${error.message}`, { wrong: true });
      }
    }
  }

  takeDrops(target) {
    const mark = (over) => target.classList.toggle("dropping", over);
    target.addEventListener("dragover", (event) => {
      event.preventDefault();
      mark(true);
    });
    target.addEventListener("dragleave", () => mark(false));
    target.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(false);
      this.add([...event.dataTransfer.files]);
    });
  }

  #facts({ arrows, objects }) {
    const parts = [];
    if (arrows) parts.push(`${arrows} ${arrows === 1 ? "point" : "points"}`);
    if (objects) parts.push(`${objects} ${objects === 1 ? "object" : "objects"}`);
    return parts.join(", ");
  }

  #fill() {
    refill(
      this.list,
      this.all.map((picture) => {
        const thumbnail = element("img", { alt: "", loading: "lazy", src: `/api/thumbnails/${address(picture)}?${picture.version}` });
        const button = element("button", { type: "button" }, thumbnail, element("span", { textContent: picture.name }), element("br"));
        button.append(element("small", { textContent: this.#facts(picture) }));
        if (picture.fault) button.append(element("span", { className: "fault", textContent: picture.fault }));
        thumbnail.addEventListener("error", () => thumbnail.replaceWith(element("span", { className: "fault", textContent: "cannot be shown: " })));
        button.dataset.id = address(picture);
        button.setAttribute("aria-current", String(sameAs(picture, this.current)));
        button.addEventListener("click", () => this.choose(picture));
        return element("li", {}, button);
      }),
    );
    this.#stopAtCurrent();
  }
}
