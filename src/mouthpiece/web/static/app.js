// The demo page: glue between what a person presses and one AvatarSession.

import { AccessError, call, enter } from "/web/access.js";
import { BLANK, preview } from "/web/drafts.js";
import { AvatarSession } from "/web/session.js";
import { fromFile, fromWav, Microphone } from "/web/sound.js";
import { walkTabs } from "/web/tabs.js";

const $ = (id) => document.getElementById(id);
const ms = (value) => (Number.isFinite(value) ? `${Math.round(value)} ms` : "–");

const WORDS = { ready: "ready", connecting: "connecting", listening: "connected", speaking: "speaking", failed: "not connected" };
const SHIPPED = "mouthpiece"; // the owner of the faces that we ship
const HIGH_VOICES = ["mia", "ada"]; // what suits the faces that we ship; a person chooses freely

let session = null;
let microphone = null;
let startedAt = 0;
let frames = [];
let unheard = false; // the browser let nothing be heard yet: say it again once it does

// --- what is shown -----------------------------------------------------------------------------------------------
function show(state, words = WORDS[state]) {
  const live = session !== null;
  const focused = document.activeElement;
  $("state").dataset.state = state;
  $("state").textContent = words;
  $("frame").classList.toggle("busy", state === "connecting");
  $("start").hidden = live;
  $("stop").hidden = $("interrupt").hidden = !live;
  $("interrupt").disabled = state !== "speaking";
  if (focused?.hidden) (live ? $("stop") : $("start")).focus({ preventScroll: true });
}

function complain(error) {
  $("error").textContent = error ? String(error.message ?? error) : "";
  $("error").hidden = !error;
  if (error instanceof AccessError) lock();
}

function lock() {
  for (const id of ["start", "say", "file", "mic"]) $(id).disabled = true;
  if (!session) show("failed", "no access");
  if (!document.body.classList.contains("entered")) document.body.classList.add("locked"); // nothing to see yet
}

function countFrame(now) {
  if (startedAt && session) {
    $("first").textContent = ms(performance.now() - startedAt);
    startedAt = 0;
    $("frame").classList.add("live");
  }
  frames.push(now);
  $("video").requestVideoFrameCallback(countFrame);
}

async function refreshNumbers() {
  const now = performance.now();
  frames = frames.filter((at) => now - at < 2000);
  $("fps").textContent = session && frames.length > 1
    ? `${((frames.length - 1) * 1000 / (frames.at(-1) - frames[0])).toFixed(1)} fps` : "–";
  if (!session) return;
  const { rtt, buffer, codec } = await session.numbers();
  $("rtt").textContent = ms(rtt);
  $("buffer").textContent = ms(buffer);
  $("codec").textContent = codec ?? "–";
}

// --- the session -------------------------------------------------------------------------------------------------
const chosenFace = () => document.querySelector("#faces input:checked")?.value;

async function start() {
  complain();
  if (session) return;
  const mine = (session = new AvatarSession($("video")));
  const ours = (act) => ({ detail }) => mine === session && act(detail);
  mine.addEventListener("state", ours(({ state, words }) => show(state, words)));
  mine.addEventListener("lag", ours((value) => { $("lag").textContent = ms(value); }));
  mine.addEventListener("blocked", ours(blocked));
  mine.addEventListener("end", ours(over));
  startedAt = performance.now();
  try {
    await mine.start(chosenFace());
  } catch (error) {
    if (mine !== session) return;
    mine.stop();
    over({ reason: "", failed: true });
    complain(error);
  }
}

function over({ reason, failed }) {
  session = null;
  startedAt = 0;
  stopMicrophone();
  $("frame").classList.remove("live");
  $("unmute").hidden = true;
  show(failed ? "failed" : "ready", failed ? WORDS.failed : reason);
  if (failed && reason) complain(reason);
}

async function ready() {
  if (!session) await start();
  if (!session) throw null; // start() has said why
  if ($("frame").getBoundingClientRect().bottom < innerHeight / 4) $("frame").scrollIntoView({ behavior: "smooth" });
  return session;
}

async function showPoster(face) {
  const url = await poster(face);
  if (chosenFace() !== face.id) return; // another one was chosen meanwhile
  $("poster").src = url;
  $("poster").hidden = false;
}

async function changeFace(face) {
  safely(() => showPoster(face));
  $("voice").value = HIGH_VOICES.includes(nameOf(face).toLowerCase()) ? "+f2" : "";
  if (!session) return;
  session.stop();
  await start();
}

function mute(on) {
  $("video").muted = on;
  $("video").play().catch(() => {});
}

// Browsers let a page be heard only after it was touched: until then the pictures run without sound.
function blocked() {
  unheard = true;
  mute(true);
  $("unmute").hidden = false;
}

async function unmute() {
  $("unmute").hidden = true;
  mute(microphone !== null);
  if (unheard && !microphone) await sayText();
  unheard = false;
}

// --- the three voices --------------------------------------------------------------------------------------------
async function sayText() {
  const text = $("text").value.trim();
  if (!text) return;
  complain();
  const language = $("language").value + $("voice").value;
  const [to, answer] = await Promise.all([ready(), call("POST", "/speech", { text, language })]);
  const { pcm, phones } = fromWav(await answer.arrayBuffer());
  to.say(pcm, phones);
}

async function sayFile(file) {
  complain();
  chooseTab($("tab-file"));
  $("file-note").textContent = `reading ${file.name} …`;
  try {
    const [to, pcm] = await Promise.all([ready(), fromFile(file)]);
    to.say(pcm);
    $("file-note").textContent = `${file.name}: ${(pcm.length / 16000).toFixed(1)} s`;
  } catch (error) {
    $("file-note").textContent = "";
    throw error?.name === "EncodingError" ? new Error(`${file.name} holds no sound that this browser can read.`) : error;
  }
}

async function toggleMicrophone() {
  if (microphone) return stopMicrophone();
  complain();
  const mine = (microphone = new Microphone());
  try {
    const to = await ready();
    await mine.open((pcm, level) => {
      showLevel(level);
      to.stream(pcm);
    });
  } catch (error) {
    mine.close();
    microphone = null;
    throw error?.name === "NotAllowedError" ? new Error("The browser was not allowed to use the microphone: allow it beside the address.")
      : error?.name === "NotFoundError" ? new Error("No microphone was found.") : error;
  }
  if (mine !== microphone) return mine.close(); // the session ended meanwhile
  mute(true);
  $("unmute").hidden = true;
  $("mic").setAttribute("aria-pressed", "true");
  $("mic-words").textContent = "Stop talking";
}

function stopMicrophone() {
  if (!microphone) return;
  microphone.close();
  microphone = null;
  mute(false);
  showLevel(0);
  $("mic").setAttribute("aria-pressed", "false");
  $("mic-words").textContent = "Talk with your own voice";
}

function showLevel(level) {
  $("level").firstElementChild.style.width = `${level * 100}%`;
  $("level").setAttribute("aria-valuenow", level.toFixed(2));
}

// --- the page ----------------------------------------------------------------------------------------------------
// Everybody may see the shipped faces; one's own are fetched with the key, once.
const posters = new Map();

function poster({ id, owner_id: owner, updated_at: version }) {
  if (owner === SHIPPED) return `/web/posters/${encodeURIComponent(id)}.jpg`;
  if (!posters.has(id)) posters.set(id, preview(id, { version }));
  return posters.get(id);
}

const nameOf = (face) => face.face_name ?? face.name ?? face.id;

async function listFaces() {
  const faces = await (await call("GET", "/faces")).json();
  const asked = new URL(location.href).searchParams.get("face"); // an id or a name, as the studio links to it
  const chosen = faces.find((face) => face.id === asked || nameOf(face) === asked) ?? faces[0];
  $("faces").replaceChildren(...faces.map((face) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: "face", value: face.id, checked: face === chosen,
    });
    const image = Object.assign(document.createElement("img"), { alt: "", src: BLANK });
    safely(async () => { image.src = await poster(face); });
    input.onchange = () => safely(() => changeFace(face));
    label.append(input, image, nameOf(face));
    return label;
  }));
  if (chosen) await changeFace(chosen);
}

async function listLanguages() {
  const voices = await (await call("GET", "/speech/voices")).json();
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const named = (tag) => { try { return names.of(tag); } catch { return tag; } };
  const options = voices.map(({ language, name }) => [named(language) === language ? name : named(language), language]).sort(([a], [b]) => a.localeCompare(b));
  $("language").replaceChildren(...options.map(([words, tag]) => new Option(words, tag)));
  $("language").value = ["en-us", "en-gb", "en"].find((tag) => options.some(([, each]) => each === tag)) ?? options[0]?.[1];
}

function chooseTab(tab, focus = false) {
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    each.tabIndex = chosen ? 0 : -1;
    $(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
}

// Whatever a person did: what goes wrong is told, null has been told already.
const safely = (act) => Promise.resolve().then(act).catch((error) => error && complain(error));
const on = (act) => (event) => { event?.preventDefault(); safely(() => act(event)); };

function wire() {
  $("start").onclick = on(start);
  $("stop").onclick = () => session?.stop();
  $("interrupt").onclick = () => session?.interrupt();
  $("unmute").onclick = on(unmute);
  $("pane-text").onsubmit = on(sayText);
  $("text").onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !$("say").disabled) on(sayText)(event);
  };
  $("file").onchange = on(async () => {
    const file = $("file").files[0];
    if (file) await sayFile(file);
    $("file").value = ""; // the same file may be chosen again
  });
  $("mic").onclick = on(toggleMicrophone);
  for (const tab of document.querySelectorAll("[role=tab]")) tab.onclick = () => chooseTab(tab);
  document.querySelector("[role=tablist]").onkeydown = (event) => walkTabs(event, chooseTab);
  document.addEventListener("keydown", (event) => event.key === "Escape" && session?.interrupt());
  wireDrop();
  $("video").requestVideoFrameCallback?.(countFrame);
  setInterval(refreshNumbers, 500);
}

// A file may be dropped anywhere: missing the box by an inch must not open the file in the page's place.
function wireDrop() {
  document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
  document.addEventListener("dragleave", (event) => event.relatedTarget || $("drop").classList.remove("over"));
  document.addEventListener("drop", on((event) => {
    $("drop").classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file && !$("file").disabled) return sayFile(file);
  }));
}

function warnIfInsecure() {
  if (window.isSecureContext) return;
  $("notice").textContent = "This page was opened without TLS, so the browser gives it no microphone. " +
    "Open it on the server’s own machine as localhost, or start the server with --tls self.";
  $("notice").hidden = false;
}

async function open() {
  const first = await enter();
  await Promise.all([listFaces(), listLanguages()]);
  for (const id of ["start", "say", "file"]) $(id).disabled = false;
  $("mic").disabled = !window.isSecureContext;
  show("ready");
  document.body.classList.add("entered");
  if (first) await sayText(); // whoever opens the server's address sees a face that talks
}

wire();
warnIfInsecure();
safely(open);
