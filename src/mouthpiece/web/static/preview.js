// Every mouth and mood of a draft, drawn by the server.

import { preview as drawn } from "/web/drafts.js";

const SOUNDS = {
  sil: "rest", PP: "p, b, m", FF: "f, v", TH: "th", DD: "t, d", kk: "k, g", CH: "ch, sh", SS: "s, z", nn: "n, l", RR: "r",
  aa: "father", E: "bed", ih: "sit", oh: "go", ou: "you",
};
const CROP_SIDE = 384;
const AROUND = 1.9; // a small picture shows so many times the mouth's width
const SHAPE = 1.25; // its width by its height
const PLAY_MS = 380;

export class Preview {
  #$; #kit; #safely; #draft = null; #crops = new Map(); #asked = 0; #playing = 0; #urls = new Map();

  constructor(kit, $, safely) {
    [this.#kit, this.#$, this.#safely] = [kit, $, safely];
    $("mouths").replaceChildren(...kit.visemes.map((viseme) => this.#mouth(viseme)));
    $("moods").replaceChildren(...kit.emotions.map((emotion) => this.#mood(emotion)));
    $("weight").oninput = () => { this.stop(); this.#look(); };
    $("play").onclick = () => (this.#playing ? this.stop() : this.#safely(() => this.#play()));
  }

  // Another draft, or the same one made again.
  async show(draft) {
    if (this.#draft?.id !== draft.id) for (const image of this.#crops.values()) image.classList.remove("there");
    this.#draft = draft;
    this.#frame();
    await this.#look();
    await this.#fill();
  }

  stop() {
    clearTimeout(this.#playing);
    this.#playing = 0;
    this.#$("play").setAttribute("aria-pressed", "false");
    this.#$("play").textContent = "Play all";
  }

  #choice(name, value, checked) {
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value, checked });
    input.onchange = () => this.#safely(async () => {
      this.stop();
      await this.#look();
      if (name === "mood") await this.#fill();
    });
    return input;
  }

  #mouth(viseme) {
    const label = document.createElement("label");
    const crop = Object.assign(document.createElement("span"), { className: "crop" });
    const image = Object.assign(document.createElement("img"), { alt: "" });
    crop.append(image);
    this.#crops.set(viseme, image);
    label.title = viseme;
    label.append(this.#choice("viseme", viseme, viseme === "aa"), crop, SOUNDS[viseme] ?? viseme);
    return label;
  }

  #mood(emotion) {
    const label = document.createElement("label");
    label.append(this.#choice("mood", emotion, emotion === "natural"), emotion);
    return label;
  }

  get #chosen() {
    const of = (name) => document.querySelector(`input[name=${name}]:checked`).value;
    return { viseme: of("viseme"), emotion: of("mood") };
  }

  // The small pictures show the mouth: where it is, is known.
  #frame() {
    const { landmarks, side } = this.#draft;
    const [right, left] = [landmarks[61], landmarks[291]].map(([x, y]) => [x / side, y / side]);
    const room = Math.min(1, AROUND * Math.hypot(left[0] - right[0], left[1] - right[1]));
    const from = (axis, size) => Math.max(0, Math.min((left[axis] + right[axis] - size) / 2, 1 - size));
    for (const image of this.#crops.values()) {
      image.style.transform = `scale(${1 / room}) translate(${-100 * from(0, room)}%, ${-100 * from(1, room / SHAPE)}%)`;
    }
  }

  // The large picture: the newest wish wins.
  async #look() {
    const mine = ++this.#asked;
    const weight = Number(this.#$("weight").value) / 100;
    const url = await this.#drawn({ ...this.#chosen, weight });
    if (mine === this.#asked) this.#put(url, this.#chosen);
  }

  #put(url, { viseme, emotion }) {
    const shown = this.#$("shown");
    shown.src = url;
    shown.alt = `the face: ${SOUNDS[viseme] ?? viseme}, ${emotion}`;
  }

  async #fill() {
    const { id, version } = this.#draft;
    const { emotion } = this.#chosen;
    for (const [viseme, image] of this.#crops) {
      const url = await drawn(id, { version, viseme, emotion, size: CROP_SIDE });
      if (this.#draft.version !== version || this.#chosen.emotion !== emotion) return URL.revokeObjectURL(url);
      if (image.src) URL.revokeObjectURL(image.src);
      image.src = url;
      image.classList.add("there");
    }
  }

  async #drawn(how) {
    const key = JSON.stringify([this.#draft.id, this.#draft.version, how]);
    if (!this.#urls.has(key)) this.#urls.set(key, await drawn(this.#draft.id, { version: this.#draft.version, ...how }));
    while (this.#urls.size > 60) {
      const [oldest, url] = this.#urls.entries().next().value;
      this.#urls.delete(oldest);
      URL.revokeObjectURL(url);
    }
    return this.#urls.get(key);
  }

  // One mouth after the other, large, until it is stopped.
  async #play() {
    this.#playing = -1;
    this.#$("play").setAttribute("aria-pressed", "true");
    this.#$("play").textContent = "loading …";
    const { emotion } = this.#chosen;
    const pictures = [];
    for (const viseme of this.#kit.visemes) {
      pictures.push([viseme, await this.#drawn({ viseme, emotion, weight: 1 })]);
      if (!this.#playing) return;
    }
    this.#$("play").textContent = "Stop";
    const step = (at) => {
      const [viseme, url] = pictures[at % pictures.length];
      this.#asked++;
      this.#put(url, { viseme, emotion });
      document.querySelector(`input[name=viseme][value=${viseme}]`).checked = true;
      this.#playing = setTimeout(() => step(at + 1), PLAY_MS);
    };
    step(0);
  }
}
