// The account's own faces: their posters, and what can be done with each.

import { BLANK, deleteFace, ownFaces, preview } from "/web/drafts.js";

const POLL_MS = 1500;
const POSTER = 320;

function element(name, properties = {}, ...children) {
  const it = Object.assign(document.createElement(name), properties);
  it.append(...children);
  return it;
}

export class Gallery {
  #$; #open; #safely; #posters = new Map(); #timer = 0;
  faces = [];

  constructor($, { open, safely }) {
    [this.#$, this.#open, this.#safely] = [$, open, safely];
  }

  async refresh() {
    clearTimeout(this.#timer);
    this.faces = await ownFaces();
    this.#$("none").hidden = this.faces.length > 0;
    this.#$("own").replaceChildren(...this.faces.map((face) => this.#card(face)));
    if (this.faces.some(({ state }) => state === "queued" || state === "running")) {
      this.#timer = setTimeout(() => this.#safely(() => this.refresh()), POLL_MS);
    }
  }

  #card(face) {
    const ready = face.state === "ready";
    const acts = element("div", { className: "acts" });
    if (ready) {
      acts.append(
        element("a", { className: "talk", href: `/?face=${encodeURIComponent(face.id)}`, textContent: "Talk", ariaLabel: `Talk to ${face.name}` }),
        element("button", { type: "button", textContent: "Edit", ariaLabel: `Edit ${face.name}`, onclick: () => this.#open(face) }),
      );
    }
    acts.append(element("button", { type: "button", textContent: "Delete", ariaLabel: `Delete ${face.name}`, onclick: () => this.#safely(() => this.#remove(face)) }));
    return element("li", {}, element("div", { className: "face" }, this.#picture(face, ready)), element("strong", { textContent: face.name, title: face.name }), acts);
  }

  #picture(face, ready) {
    if (face.state === "failed") return element("p", { textContent: face.error });
    if (!ready) return element("progress", { max: 100, value: face.progress, ariaLabel: `${face.name}: ${face.stage}` });
    const image = element("img", { alt: "", src: BLANK });
    this.#safely(async () => { image.src = await this.#poster(face); });
    return image;
  }

  async #poster({ id, version }) {
    const key = `${id} ${version}`;
    if (!this.#posters.has(key)) this.#posters.set(key, await preview(id, { version, size: POSTER }));
    return this.#posters.get(key);
  }

  async #remove(face) {
    const dialog = this.#$("sure");
    this.#$("sure-title").textContent = `Delete ${face.name}?`;
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
    if (dialog.returnValue !== "delete") return;
    await deleteFace(face.id);
    await this.refresh();
    this.#$("own-title").focus();
  }
}
