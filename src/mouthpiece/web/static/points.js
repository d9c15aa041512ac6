// The editor: a picture with points over it, which a person drags, or moves with the arrow keys. An SVG element shows it,
// so that a zoom is a view box. Points are [x, y, z] in pixels of the picture.

const SVG = "http://www.w3.org/2000/svg";
const MARK = 6; // CSS pixels
const TOUCH = 24;
const CLEAR = 20; // grips of points that lie closer together are drawn apart
const UNDO = 100;
const ZOOM_MS = 220;

function make(name, attributes = {}, ...children) {
  const it = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) it.setAttribute(key, value);
  it.append(...children);
  return it;
}

// A smooth line through points (Catmull and Rom 1974, as Bézier curves); closed where the last one is the first.
function curve(points) {
  const closed = points[0] === points.at(-1);
  const count = points.length;
  const at = (k) => points[closed ? (k + count - 1) % (count - 1) : Math.max(0, Math.min(count - 1, k))];
  const round = closed && count === 5 ? 3.62 : 6; // four points of an iris: the nearest to a circle
  const beside = (k, side) => [0, 1].map((axis) => at(k)[axis] + side * (at(k + 1)[axis] - at(k - 1)[axis]) / round);
  const pair = ([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`;
  const parts = [`M${pair(points[0])}`];
  for (let k = 1; k < count; k++) parts.push(`C${pair(beside(k - 1, 1))} ${pair(beside(k, -1))} ${pair(at(k))}`);
  return parts.join(" ");
}

const same = (one, other) => one.every((point, k) => point.every((value, axis) => value === other[k][axis]));

export class PointEditor extends EventTarget {
  #svg; #kit; #size = [1024, 1024]; #points = []; #first = []; #shown = []; #past = []; #group = "face";
  #view = [0, 0, 1024, 1024]; #handles = []; #grips = new Map(); #anchors = null; #placed = [];
  #lines; #marks; #image; #cut; #mask; #zooming = 0; #step = null;

  constructor(svg, kit) {
    super();
    this.#svg = svg;
    this.#kit = kit;
    this.#build();
    new ResizeObserver(() => this.#draw()).observe(svg);
  }

  get points() { return this.#points; }
  get dirty() { return this.#past.length > 0; }
  get moved() { return !same(this.#points, this.#first); }

  // A draft's portrait with its points, which are as good as unchanged; `first`: those that were there at first.
  show({ portrait, matte, side, points, first }) {
    this.#anchors = null;
    this.#picture(portrait, side, side);
    for (const each of [this.#mask, this.#cut.children[2]]) each.setAttribute("href", matte);
    this.#points = points.map((point) => [...point]);
    this.#first = first;
    this.#shown = points;
    this.#past = [];
    this.choose(this.#group, false);
  }

  // A picture in which nothing was found: a face to be placed by its anchors.
  place(image, width, height) {
    this.#picture(image, width, height);
    const side = 0.95 * Math.min(width, height);
    const [left, top] = [(width - side) / 2, (height - side) / 2];
    this.#first = this.#kit.template.map(([x, y, z]) => [left + x * side, top + y * side, z * side]);
    this.#shown = this.#first;
    this.#anchors = this.#kit.anchors;
    this.#placed = this.#anchors.map(({ point }) => this.#first[point].slice(0, 2));
    this.#past = [];
    this.#points = this.#fitted();
    this.#group = "place";
    this.#zoom([0, 0, width, height], false);
    this.#make();
  }

  // While placing: only the surroundings of the face that is being placed, or all of the picture.
  closer(on) {
    this.#zoom(on ? this.#around("face", 2) : [0, 0, ...this.#size], true);
  }

  // Which points have handles: a group of the kit, or "" for none; the view goes there.
  choose(group, glide = true) {
    this.#group = group;
    this.#zoom(this.#around(group), glide);
    this.#make();
  }

  // What is seen of the picture: "points", "matte" (striped background), or "outline" (the matte alone).
  look(what) {
    this.#svg.dataset.look = what;
    this.#lines.style.display = this.#marks.style.display = what === "points" ? "" : "none";
    this.#image.style.display = what === "points" ? "" : "none";
    this.#cut.style.display = what === "points" ? "none" : "";
    this.#cut.firstElementChild.setAttribute("fill", what === "outline" ? "#000" : "url(#stripes)");
    this.#cut.children[1].style.display = what === "outline" ? "none" : "";
    this.#cut.children[2].style.display = what === "outline" ? "" : "none";
  }

  undo() {
    const last = this.#past.pop();
    if (!last) return;
    this.#step = null;
    [this.#points, this.#placed] = last;
    this.#draw();
    this.#changed();
  }

  // Back to the first points. Where others were applied since, that is one more step, to be applied or undone.
  reset() {
    if (same(this.#first, this.#shown)) this.#past = [];
    else this.#remember(this.#now());
    this.#step = null;
    this.#points = this.#first.map((point) => [...point]);
    this.#draw();
    this.#changed();
  }

  // Points as shares of the picture's size, as the API takes them with a picture.
  shares() {
    const [width, height] = this.#size;
    return this.#points.map(([x, y, z]) => [x / width, y / height, z / width]);
  }

  // --- drawing ---------------------------------------------------------------------------------------------------
  #build() {
    this.#image = make("image", { class: "picture" });
    this.#mask = make("image", {});
    const stripe = make("pattern", { id: "stripes", width: 36, height: 36, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      make("rect", { width: 36, height: 36, fill: "#ffd9cd" }), make("rect", { width: 18, height: 36, fill: "#ff7a59" }));
    this.#cut = make("g", {}, make("rect", { width: "100%", height: "100%" }),
      make("image", { mask: "url(#person)" }), make("image", {}));
    this.#lines = make("g", { "aria-hidden": "true" });
    this.#marks = make("g");
    this.#svg.replaceChildren(make("defs", {}, stripe, make("mask", { id: "person", "mask-type": "luminance" }, this.#mask)),
      this.#image, this.#cut, this.#lines, this.#marks);
    this.#svg.addEventListener("pointerdown", (event) => this.#grab(event));
    this.#svg.addEventListener("touchstart", (event) => { // a finger on a handle moves it, not the page
      if (event.touches.length === 1 && this.#nearest(event.touches[0]) >= 0) event.preventDefault();
    }, { passive: false });
    this.look("points");
  }

  #picture(href, width, height) {
    this.#size = [width, height];
    for (const each of [this.#image, this.#mask, this.#cut.children[1], this.#cut.children[2]]) {
      each.setAttribute("width", width);
      each.setAttribute("height", height);
    }
    this.#image.setAttribute("href", href);
    this.#cut.children[1].setAttribute("href", href);
  }

  #make() {
    this.#handles = this.#anchors ?? this.#kit.handles.filter(({ group }) => group === this.#group);
    this.#grips.clear();
    this.#marks.replaceChildren(...this.#handles.map((handle, index) => {
      const grip = make("g", {
        class: handle.whole ? "handle whole" : "handle", tabindex: 0, role: "slider",
        "aria-label": handle.name, "aria-valuemin": 0, "aria-valuemax": Math.round(this.#size[0]),
      }, make("line", { class: "tie" }), make("circle", { class: "hit" }), make("circle", { class: "ring" }),
      handle.whole ? make("rect", { class: "mark" }) : make("circle", { class: "mark" }));
      grip.addEventListener("keydown", (event) => this.#key(event, index));
      grip.addEventListener("focus", () => this.#tell(handle));
      grip.addEventListener("blur", () => { this.#step = null; });
      this.#grips.set(index, grip);
      return grip;
    }));
    const groups = this.#anchors ? Object.keys(this.#kit.lines) : [this.#group, ...Object.keys(this.#kit.lines).filter((each) => each !== this.#group)];
    this.#lines.replaceChildren(...groups.flatMap((group) => (this.#kit.lines[group] ?? []).flatMap((row) =>
      ["line under", "line"].map((kind) => Object.assign(make("path", { class: `${kind}${group === this.#group || this.#anchors ? "" : " faint"}` }), { row })))));
    this.#draw();
  }

  get #scale() { // picture pixels per CSS pixel
    const { clientWidth: width, clientHeight: height } = this.#svg;
    return Math.max(this.#view[2] / (width || 512), this.#view[3] / (height || 512));
  }

  #draw() {
    this.#svg.setAttribute("viewBox", this.#view.join(" "));
    const scale = this.#scale;
    for (const line of this.#lines.children) {
      line.setAttribute("d", curve(line.row.map((point) => this.#points[point])));
    }
    const apart = this.#apart(scale);
    this.#handles.forEach((handle, index) => {
      const grip = this.#grips.get(index);
      const [x, y] = this.#where(handle);
      const shift = apart.get(index) ?? 0;
      grip.setAttribute("aria-valuenow", Math.round(x));
      grip.setAttribute("aria-valuetext", `${Math.round(x)}, ${Math.round(y)}`);
      for (const circle of grip.querySelectorAll("circle")) {
        circle.setAttribute("cx", x);
        circle.setAttribute("cy", y + shift);
        circle.setAttribute("r", scale * { hit: TOUCH, ring: MARK + 7, mark: MARK }[circle.getAttribute("class")]);
      }
      const square = grip.querySelector("rect");
      if (square) {
        for (const [key, value] of Object.entries({ x: x - 8 * scale, y: y + shift - 8 * scale, width: 16 * scale, height: 16 * scale, rx: 3 * scale })) square.setAttribute(key, value);
      }
      const tie = grip.querySelector("line");
      for (const [key, value] of Object.entries({ x1: x, y1: y, x2: x, y2: y + shift })) tie.setAttribute(key, value);
    });
  }

  #where(handle) {
    if (this.#anchors) return this.#placed[this.#anchors.indexOf(handle)];
    const [x, y] = this.#points[handle.point];
    return handle.whole ? [x, y + 18 * this.#scale] : [x, y];
  }

  // Where the lips or lids touch, two grips would lie on each other: draw the upper one higher, the lower one lower.
  #apart(scale) {
    const shifts = new Map();
    const spots = this.#handles.map((handle) => this.#where(handle));
    for (let i = 0; i < spots.length; i++) {
      for (let k = i + 1; k < spots.length; k++) {
        const gap = Math.hypot(spots[i][0] - spots[k][0], spots[i][1] - spots[k][1]) / scale;
        if (gap >= CLEAR) continue;
        const [upper, lower] = this.#handles[i].name.startsWith("lower") ? [k, i] : [i, k];
        const shift = (CLEAR - gap) / 2 * scale;
        shifts.set(upper, (shifts.get(upper) ?? 0) - shift);
        shifts.set(lower, (shifts.get(lower) ?? 0) + shift);
      }
    }
    return shifts;
  }

  #around(group, margin = group === "face" ? 1.25 : 1.45) {
    const rows = (this.#kit.lines[group] ?? []).flat();
    if (!rows.length) return [0, 0, ...this.#size];
    const xs = rows.map((point) => this.#points[point][0]), ys = rows.map((point) => this.#points[point][1]);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const side = Math.min(Math.max(right - left, bottom - top) * margin, ...this.#size);
    const clamp = (low, size) => Math.max(0, Math.min(low, size - side));
    return [clamp((left + right - side) / 2, this.#size[0]), clamp((top + bottom - side) / 2, this.#size[1]), side, side];
  }

  #zoom(to, glide) {
    cancelAnimationFrame(this.#zooming);
    const from = this.#view;
    if (!glide || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#view = to;
      return this.#draw();
    }
    const began = performance.now();
    const step = (now) => {
      const part = Math.min(1, Math.max(0, now - began) / ZOOM_MS);
      const eased = part * (2 - part);
      this.#view = from.map((value, k) => value + (to[k] - value) * eased);
      this.#draw();
      if (part < 1) this.#zooming = requestAnimationFrame(step);
    };
    this.#zooming = requestAnimationFrame(step);
  }

  // --- moving ----------------------------------------------------------------------------------------------------
  #grab(event) {
    const index = event.button ? -1 : this.#nearest(event);
    if (index < 0) return;
    event.preventDefault();
    const grip = this.#grips.get(index);
    grip.focus({ preventScroll: true });
    grip.classList.add("held");
    this.#svg.classList.add("dragging");
    this.#svg.setPointerCapture(event.pointerId);
    const [startX, startY] = [event.clientX, event.clientY];
    const before = this.#now();
    let moved = false;
    const move = ({ pointerId, clientX, clientY }) => {
      if (pointerId !== event.pointerId) return;
      if (!moved) this.#remember(before);
      moved = true;
      [this.#points, this.#placed] = before.map((rows) => rows.map((row) => [...row]));
      this.#shift(index, (clientX - startX) * this.#scale, (clientY - startY) * this.#scale);
    };
    const end = ({ pointerId }) => {
      if (pointerId !== event.pointerId) return;
      this.#svg.removeEventListener("pointermove", move);
      for (const over of ["pointerup", "pointercancel"]) this.#svg.removeEventListener(over, end);
      grip.classList.remove("held");
      this.#svg.classList.remove("dragging");
      this.#step = null;
      if (moved) this.#changed();
    };
    this.#svg.addEventListener("pointermove", move);
    for (const over of ["pointerup", "pointercancel"]) this.#svg.addEventListener(over, end);
  }

  // The grip nearest to a pointer, among those within reach of a finger; -1: none.
  #nearest({ clientX, clientY }) {
    let best = -1, least = this.#svg.dataset.look === "points" ? TOUCH + 4 : 0;
    for (const [index, grip] of this.#grips) {
      const box = grip.querySelector(".hit").getBoundingClientRect();
      const away = Math.hypot(clientX - box.x - box.width / 2, clientY - box.y - box.height / 2);
      if (away < least) [best, least] = [index, away];
    }
    return best;
  }

  #key(event, index) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault();
      return this.undo();
    }
    if (!by) return;
    event.preventDefault();
    const step = (event.shiftKey ? 10 : 1) * Math.max(1, this.#size[0] / 1024);
    if (this.#step !== index) this.#remember(this.#now()); // one undo for a row of key presses
    this.#step = index;
    this.#shift(index, by[0] * step, by[1] * step);
    this.#changed();
  }

  #shift(index, dx, dy) {
    if (this.#anchors) {
      const [x, y] = this.#placed[index];
      this.#placed[index] = [this.#inside(x + dx, 0), this.#inside(y + dy, 1)];
      this.#points = this.#fitted();
    } else {
      for (const [point, weight] of this.#handles[index].moves) {
        this.#points[point][0] += weight * dx;
        this.#points[point][1] += weight * dy;
      }
    }
    this.#draw();
    this.#tell(this.#handles[index]);
  }

  #inside(value, axis) { return Math.max(0, Math.min(this.#size[axis], value)); }

  // The template moved, turned and scaled to the anchors as well as that goes (least squares), the rest spread smoothly.
  #fitted() {
    const source = this.#anchors.map(({ point }) => this.#first[point]);
    const mean = (rows, axis) => rows.reduce((sum, row) => sum + row[axis], 0) / rows.length;
    const [sx, sy, tx, ty] = [mean(source, 0), mean(source, 1), mean(this.#placed, 0), mean(this.#placed, 1)];
    let along = 0, across = 0, norm = 0;
    source.forEach(([x, y], k) => {
      const [a, b, c, d] = [x - sx, y - sy, this.#placed[k][0] - tx, this.#placed[k][1] - ty];
      along += a * c + b * d;
      across += a * d - b * c;
      norm += a * a + b * b;
    });
    along /= norm;
    across /= norm;
    const scale = Math.hypot(along, across);
    const turned = (x, y) => [tx + along * (x - sx) - across * (y - sy), ty + across * (x - sx) + along * (y - sy)];
    const points = this.#first.map(([x, y, z]) => [...turned(x, y), z * scale]);
    this.#anchors.forEach(({ point, moves }, k) => {
      const [x, y] = turned(this.#first[point][0], this.#first[point][1]);
      for (const [index, weight] of moves) {
        points[index][0] += weight * (this.#placed[k][0] - x);
        points[index][1] += weight * (this.#placed[k][1] - y);
      }
    });
    return points;
  }

  #now() { return [this.#points.map((point) => [...point]), this.#placed.map((spot) => [...spot])]; }

  #remember(state) {
    this.#past.push(state);
    if (this.#past.length > UNDO) this.#past.splice(1, 1); // the first one stays: it is how it was
  }

  #changed() { this.dispatchEvent(new Event("change")); }

  #tell({ name }) { this.dispatchEvent(new CustomEvent("at", { detail: name })); }
}
