// The face studio: glue between what a person does, the drafts of the API, and the editor of points.

import { AccessError, enter } from "/web/access.js";
import { Camera } from "/web/camera.js";
import * as api from "/web/drafts.js";
import { Gallery } from "/web/gallery.js";
import { PointEditor } from "/web/points.js";
import { Preview } from "/web/preview.js";
import { walkTabs } from "/web/tabs.js";

const $ = (id) => document.getElementById(id);
const GROUPS = { face: "Face", mouth: "Mouth", "left eye": "Left eye", "right eye": "Right eye" }; // as the picture shows them
const BY_HAND = ["NOT_CONFIGURED", "NO_FACE", "SEVERAL_FACES", "FACE_NOT_UPRIGHT", "UNAVAILABLE"]; // points help there

let kit, editor, preview, gallery;
let draft = null; // as the API tells it
let found = []; // its points before any were moved by hand
let sent = null; // the picture file that was sent last
let landmarks = null; // points for the next picture: JSON
let pictures = []; // addresses of the draft's portrait and matte
let job = null; // what is being waited for
const camera = new Camera($("camera"));

// --- what is shown -----------------------------------------------------------------------------------------------
function go(step) {
  const focused = document.activeElement;
  document.body.dataset.step = step;
  for (const part of document.querySelectorAll("[data-on]")) part.hidden = !part.dataset.on.split(" ").includes(step);
  $("editor").toggleAttribute("hidden", step !== "place");
  if (step !== "camera") camera.close();
  if (step !== "draft") preview?.stop();
  pill("");
  if (focused && focused !== document.body && !focused.checkVisibility()) {
    document.querySelector(".panel [data-on]:not([hidden]) :is(h2, .tabs [aria-selected=true])")?.focus?.();
  }
}

function pill(words, state = "ready") {
  $("state").hidden = !words;
  $("state").textContent = words;
  $("state").dataset.state = state;
}

function complain(error) {
  const words = error ? String(error.message ?? error) : "";
  $("error").textContent = sentence(words);
  $("error").hidden = !error;
  if (error) $("error").scrollIntoView({ block: "nearest" });
  if (error instanceof AccessError && !document.body.classList.contains("entered")) document.body.classList.add("locked");
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?)…]$/.test(words) || !words ? "" : ".");

function progress(percent, words) {
  $("progress").value = percent;
  $("work-words").textContent = sentence(words);
}

// --- from a picture to a draft -----------------------------------------------------------------------------------
async function study(file, faceIndex) {
  complain();
  sent = file;
  const points = landmarks;
  forgetPoints();
  if ($("name").disabled) $("name").value = ""; // of a face that was opened before
  free($("sent"));
  $("sent").src = URL.createObjectURL(file);
  await follow("Making the face", (signal) => api.begin(file, { landmarks: points, faceIndex, signal }, progress));
}

async function openFace(face) {
  complain();
  sent = null;
  forgetPoints();
  free($("sent"));
  $("sent").removeAttribute("src");
  $("name").value = face.name;
  await follow(`Opening ${face.name}`, () => api.openFace(face.id));
}

// Wait for a draft that an act begins; shows it, or what went wrong.
async function follow(title, act) {
  job?.abort();
  const mine = (job = new AbortController());
  $("work-title").textContent = title;
  progress(0, "sending the picture");
  go("work");
  try {
    const begun = await act(mine.signal);
    remember(begun.id);
    const done = await api.made(begun, mine.signal, progress);
    if (mine.signal.aborted || !done) return void api.discard(begun.id).catch(() => {});
    if (done.state === "failed" && !done.landmarks) {
      api.discard(done.id).catch(() => {});
      return trouble(done.code, done.error);
    }
    await show(done);
  } catch (error) {
    if (mine !== job || mine.signal.aborted) return;
    if (error instanceof AccessError || !error?.code || !sent) {
      go("begin");
      throw error;
    }
    trouble(error.code, error.message);
  }
}

function trouble(code, words) {
  remember(null);
  go("trouble");
  $("trouble-words").textContent = sentence(words);
  $("trouble-run").hidden = code !== "NOT_CONFIGURED" || !words.includes("setup faces");
  $("by-hand").hidden = !BY_HAND.includes(code) || !sent || words.includes("mouthpiece[faces]");
  const count = code === "SEVERAL_FACES" ? Number.parseInt(words, 10) || 2 : 0; // its words begin with how many
  $("which").hidden = !count;
  $("which").replaceChildren(...Array.from({ length: count }, (_, index) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: `Face ${index + 1} from the left` });
    button.onclick = on(() => study(sent, index));
    return button;
  }));
}

function cancel() {
  job?.abort();
  remember(null);
  go("begin");
}

// The address names the draft, so that a reload goes on with it.
function remember(id) {
  const address = new URL(location.href);
  id ? address.searchParams.set("draft", id) : address.searchParams.delete("draft");
  address.searchParams.delete("face");
  history.replaceState(null, "", address);
}

async function useCamera() {
  complain();
  go("camera");
  try {
    await camera.open();
  } catch (error) {
    go("begin");
    throw error;
  }
}

async function shoot() {
  const file = await camera.shoot();
  forgetPoints();
  await study(file);
}

async function readPoints(input, words) {
  const file = input.files[0];
  input.value = "";
  if (!file) return;
  landmarks = await file.text();
  words.textContent = `${file.name}: now choose the picture`;
  words.parentElement.classList.add("full");
}

function forgetPoints() {
  landmarks = null;
  $("points-words").textContent = "Choose a JSON file";
  $("points-words").parentElement.classList.remove("full");
}

// --- points by hand, from nothing --------------------------------------------------------------------------------
async function placeByHand() {
  const bitmap = await createImageBitmap(sent).catch(() => null);
  if (!bitmap) throw new Error("This browser cannot show the picture: save it as JPEG and try again.");
  const { width, height } = bitmap;
  bitmap.close();
  go("place");
  editor.look("points");
  editor.place($("sent").src, width, height);
  lookCloser(false);
}

// A face that is small in its picture is placed in two steps: roughly in all of it, then closer.
function lookCloser(closer) {
  editor.closer(closer);
  $("closer").setAttribute("aria-pressed", String(closer));
}

async function usePlaced() {
  landmarks = JSON.stringify(editor.shares());
  await study(sent);
}

// --- the draft ---------------------------------------------------------------------------------------------------
async function show(now, tab = now.unsure ? "tab-points" : "tab-preview") {
  const [portrait, matte] = await Promise.all([api.portrait(now), api.matte(now)]);
  pictures.forEach((url) => URL.revokeObjectURL(url));
  pictures = [portrait, matte];
  if (draft?.id !== now.id) {
    $("shown").src = portrait; // until the first preview is there
    found = now.landmarks;
  }
  draft = now;
  editor.show({ portrait, matte, side: now.side, points: now.landmarks, first: found });
  editor.choose("face", false);
  document.querySelector("#groups input[value=face]").checked = true;
  go("draft");
  const said = now.state === "failed" ? [now.error, ...now.warnings] : now.warnings;
  $("warnings").replaceChildren(...said.map((words) => Object.assign(document.createElement("li"), { textContent: sentence(words) })));
  $("warnings").hidden = !said.length;
  $("save").textContent = now.of ? "Save changes" : "Save";
  $("name").disabled = Boolean(now.of);
  edited();
  chooseTab($(now.state === "failed" ? "tab-points" : tab));
  if (now.state === "ready") await preview.show(now);
}

function edited() {
  const { dirty, moved } = editor;
  for (const id of ["undo", "apply"]) $(id).disabled = !dirty;
  $("reset").disabled = !moved;
  if (dirty) pill("moved: press Apply to see it", "connecting");
}

// Make the draft again with the points as they are now.
async function apply() {
  complain();
  const id = draft.id;
  const points = editor.points;
  const queued = await api.correct(id, points); // refused at once when they make no face: nothing is lost
  const mine = (job = new AbortController());
  busy(true);
  try {
    const done = await api.made(queued, mine.signal, (percent, words) => pill(`${words} · ${Math.round(percent)} %`, "connecting"));
    if (!done) return false;
    if (done.state === "failed") {
      pill("");
      complain(done.error);
      return false;
    }
    await show(done);
    return true;
  } finally {
    busy(false);
  }
}

function busy(is) {
  for (const id of ["save", "discard"]) $(id).disabled = is;
  for (const id of ["apply", "undo"]) $(id).disabled = is || !editor.dirty;
  $("reset").disabled = is || !editor.moved;
  $("frame").classList.toggle("busy", is);
  $("frame").inert = is; // what would be moved now would be lost
}

async function save() {
  if (editor.dirty && !(await apply())) return;
  complain();
  const name = $("name").value.trim();
  const face = await api.save(draft.id, draft.of ? { face_id: draft.of } : { name });
  remember(null);
  busy(true);
  try {
    await api.usable(face, (percent, words) => pill(`${words} · ${percent} %`, "connecting"));
  } catch (error) {
    go("begin"); // the list below says what became of it
    await gallery.refresh();
    throw error;
  } finally {
    busy(false);
  }
  const picture = $("shown").src;
  go("saved");
  $("shown").src = picture;
  $("saved-title").textContent = `${face.name} is saved`;
  $("saved-id").textContent = face.id;
  draft = null;
  $("talk").href = `/?face=${encodeURIComponent(face.id)}`;
  $("name").value = "";
  $("saved-title").focus();
  await gallery.refresh();
}

async function startOver() {
  const old = draft;
  remember(null);
  forgetPoints();
  $("name").value = "";
  $("name").disabled = false;
  go("begin");
  if (document.activeElement === document.body) $("choose").focus();
  await api.discard(old.id);
}

// --- the page ----------------------------------------------------------------------------------------------------
function chooseTab(tab, focus = false) {
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  const what = tab.id.slice(4);
  $("editor").toggleAttribute("hidden", what === "preview");
  $("shown").hidden = what !== "preview";
  if (what === "matte") editor.choose("", false);
  if (what === "points") editor.choose(document.querySelector("#groups input:checked").value, false);
  editor.look(what === "points" ? "points" : $("outline-only").checked ? "outline" : "matte");
  if (what !== "preview") preview.stop();
  pill("");
  if (what === "points") edited();
  if (focus) tab.focus();
}

function makeGroups() {
  $("groups").replaceChildren(...Object.entries(GROUPS).map(([group, words], index) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "group", value: group, checked: index === 0 });
    input.onchange = () => editor.choose(group);
    label.append(input, words);
    return label;
  }));
}

function free(image) {
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
}

const safely = (act) => Promise.resolve().then(act).catch((error) => error && complain(error));
const on = (act) => (event) => { event?.preventDefault(); safely(() => act(event)); };

function wire() {
  $("choose").onclick = () => $("file").click();
  $("file").onchange = on(async () => {
    const file = $("file").files[0];
    $("file").value = "";
    if (file) await study(file);
  });
  $("open-camera").onclick = on(useCamera);
  $("shoot").onclick = on(shoot);
  $("leave-camera").onclick = () => go("begin");
  $("cancel").onclick = cancel;
  $("again").onclick = () => { forgetPoints(); go("begin"); $("file").click(); };
  $("by-hand").onclick = on(placeByHand);
  $("closer").onclick = () => lookCloser($("closer").getAttribute("aria-pressed") !== "true");
  $("placed").onclick = on(usePlaced);
  $("leave-place").onclick = () => go("begin");
  $("points-file").onchange = on(() => readPoints($("points-file"), $("points-words")));
  $("trouble-points").onchange = on(async () => {
    await readPoints($("trouble-points"), $("points-words"));
    if (landmarks && sent) await study(sent);
  });
  for (const tab of document.querySelectorAll("[role=tab]")) tab.onclick = () => chooseTab(tab);
  document.querySelector("[role=tablist]").onkeydown = (event) => walkTabs(event, chooseTab);
  $("undo").onclick = () => editor.undo();
  $("reset").onclick = () => editor.reset();
  $("apply").onclick = on(apply);
  $("save-form").onsubmit = on(save);
  $("discard").onclick = on(startOver);
  $("another").onclick = () => { $("name").disabled = false; go("begin"); $("choose").focus(); };
  $("outline-only").onchange = () => editor.look($("outline-only").checked ? "outline" : "matte");
  wireDrop();
}

// A picture may be dropped anywhere while one is asked for.
function wireDrop() {
  document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  document.addEventListener("dragleave", (event) => event.relatedTarget || $("drop").classList.remove("over"));
  document.addEventListener("drop", on((event) => {
    $("drop").classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file && !$("file").disabled && ["begin", "trouble", "saved"].includes(document.body.dataset.step)) return study(file);
  }));
}

function warnIfInsecure() {
  if (window.isSecureContext) return;
  $("notice").textContent = "This page was opened without TLS, so the browser gives it no camera. " +
    "Open it on the server’s own machine as localhost, or start the server with --tls self.";
  $("notice").hidden = false;
}

async function open() {
  const asked = new URL(location.href).searchParams;
  await enter();
  kit = await api.kit();
  editor = new PointEditor($("editor"), kit);
  editor.addEventListener("change", edited);
  editor.addEventListener("at", ({ detail }) => pill(detail));
  preview = new Preview(kit, $, safely);
  gallery = new Gallery($, { open: (face) => safely(() => openFace(face)), safely });
  makeGroups();
  await gallery.refresh();
  document.body.classList.add("entered");
  for (const id of ["choose", "file"]) $(id).disabled = false;
  $("open-camera").disabled = !window.isSecureContext;
  const face = gallery.faces.find(({ id }) => id === asked.get("face"));
  if (face) return openFace(face);
  if (asked.get("draft")) await resume(asked.get("draft"));
}

// After a reload: the draft of the address goes on, if it is still there.
async function resume(id) {
  let now;
  try {
    now = await api.draft(id);
  } catch (error) {
    remember(null);
    if (error.code !== "NOT_FOUND") throw error;
    return;
  }
  if (now.of) $("name").value = gallery.faces.find((face) => face.id === now.of)?.name ?? "";
  await follow("Making the face", async () => now);
}

wire();
warnIfInsecure();
safely(open);
