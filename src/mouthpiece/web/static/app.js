// The demo page: glue between what a person presses and one AvatarSession.

import { call, enter } from "/web/access.js";
import { AvatarSession } from "/web/session.js";
import { fromFile, fromWav, Microphone } from "/web/sound.js";

const $ = (id) => document.getElementById(id);
const ms = (value) => (value == null ? "–" : `${Math.round(value)} ms`);

let session = null;
let microphone = null;
let startedAt = 0;
let frames = [];

// --- what is shown -----------------------------------------------------------------------------------------------
function show(state, words = state) {
  $("state").dataset.state = state;
  $("state").textContent = words;
  const live = session !== null;
  $("start").disabled = live;
  $("stop").disabled = !live;
  $("interrupt").disabled = state !== "speaking";
}

function complain(error) {
  $("error").textContent = error ? String(error.message ?? error) : "";
  $("error").hidden = !error;
}

function countFrame(now) {
  if (startedAt) {
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
async function start() {
  complain();
  const faceId = document.querySelector("#faces input:checked")?.value;
  const mine = (session = new AvatarSession($("video")));
  startedAt = performance.now();
  mine.addEventListener("state", ({ detail }) => mine === session && show(detail));
  mine.addEventListener("lag", ({ detail }) => { $("lag").textContent = ms(detail); });
  mine.addEventListener("blocked", () => { mute(true); $("unmute").hidden = false; });
  mine.addEventListener("end", ({ detail }) => mine === session && over(detail));
  try {
    await mine.start(faceId);
  } catch (error) {
    over({ reason: "could not start", failed: true });
    complain(error);
  }
}

function over({ reason, failed }) {
  session = null;
  startedAt = 0;
  stopMicrophone();
  $("frame").classList.remove("live");
  show(failed ? "failed" : "ready", failed ? "not connected" : reason);
  if (failed) complain(reason);
}

async function ready() {
  if (!session) await start();
  if (!session) throw new Error("no session");
  return session;
}

function mute(on) {
  $("video").muted = on;
  $("video").play().catch(() => {});
}

// --- the three voices --------------------------------------------------------------------------------------------
async function sayText() {
  const text = $("text").value.trim();
  if (!text) return;
  complain();
  const [to, answer] = await Promise.all([
    ready(), call("POST", "/speech", { text, language: $("language").value }),
  ]);
  const { pcm, phones } = fromWav(await answer.arrayBuffer());
  to.say(pcm, phones);
}

async function sayFile(file) {
  complain();
  $("file-note").textContent = `reading ${file.name} …`;
  try {
    const pcm = await fromFile(file);
    $("file-note").textContent = `${file.name}: ${(pcm.length / 16000).toFixed(1)} s`;
    (await ready()).say(pcm);
  } catch (error) {
    $("file-note").textContent = "";
    throw error.name === "EncodingError" ? new Error(`${file.name} holds no sound that this browser can read`) : error;
  }
}

async function toggleMicrophone() {
  if (microphone) return stopMicrophone();
  complain();
  const to = await ready();
  microphone = new Microphone();
  try {
    await microphone.open((pcm, level) => {
      $("level").value = level;
      to.stream(pcm);
    });
  } catch (error) {
    microphone = null;
    throw new Error(error.name === "NotAllowedError" ? "the browser was not allowed to use the microphone"
      : error.name === "NotFoundError" ? "no microphone was found" : error.message);
  }
  mute(true);
  $("mic").setAttribute("aria-pressed", "true");
  $("mic").textContent = "Stop talking";
}

function stopMicrophone() {
  if (!microphone) return;
  microphone.close();
  microphone = null;
  mute(false);
  $("level").value = 0;
  $("mic").setAttribute("aria-pressed", "false");
  $("mic").textContent = "Talk with your own voice";
}

// --- the page ----------------------------------------------------------------------------------------------------
function poster(id) { return `/web/posters/${encodeURIComponent(id)}.jpg`; }

async function listFaces() {
  const faces = await (await call("GET", "/faces")).json();
  $("faces").replaceChildren(...faces.map((face, i) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: "face", value: face.id, checked: i === 0,
    });
    const image = Object.assign(document.createElement("img"), { src: poster(face.id), alt: "" });
    input.onchange = () => { $("poster").src = poster(face.id); session?.stop(); };
    label.append(input, image, face.face_name ?? face.name ?? face.id);
    return label;
  }));
  if (faces.length) $("poster").src = poster(faces[0].id);
}

async function listLanguages() {
  const voices = await (await call("GET", "/speech/voices")).json();
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const nameOf = (tag) => { try { return names.of(tag); } catch { return tag; } };
  const options = voices.map(({ language }) => [nameOf(language), language]).sort(([a], [b]) => a.localeCompare(b));
  $("language").replaceChildren(...options.map(([name, tag]) => new Option(name, tag, false, tag === "en")));
  if (!$("language").value) $("language").selectedIndex = 0;
}

function chooseTab(tab) {
  for (const each of document.querySelectorAll("[role=tab]")) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", String(chosen));
    $(each.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function wire() {
  const safely = (act) => (event) => { event?.preventDefault(); Promise.resolve(act(event)).catch(complain); };
  $("start").onclick = safely(start);
  $("stop").onclick = () => session?.stop();
  $("interrupt").onclick = () => session?.interrupt();
  $("unmute").onclick = () => { mute(false); $("unmute").hidden = true; };
  $("pane-text").onsubmit = safely(sayText);
  $("text").onkeydown = (event) => { if (event.key === "Enter" && !event.shiftKey) safely(sayText)(event); };
  $("file").onchange = safely(() => $("file").files[0] && sayFile($("file").files[0]));
  $("mic").onclick = safely(toggleMicrophone);
  for (const tab of document.querySelectorAll("[role=tab]")) tab.onclick = () => chooseTab(tab);
  document.onkeydown = (event) => { if (event.key === "Escape") session?.interrupt(); };
  const drop = $("drop");
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = safely((event) => {
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) return sayFile(event.dataTransfer.files[0]);
  });
  $("video").requestVideoFrameCallback?.(countFrame);
  setInterval(refreshNumbers, 500);
}

function warnIfInsecure() {
  if (window.isSecureContext) return;
  $("notice").textContent = "This page was opened without TLS, so the browser gives it no microphone. " +
    "Open it on this machine as localhost, or start the server with --tls self.";
  $("notice").hidden = false;
  $("mic").disabled = true;
}

wire();
warnIfInsecure();
show("ready");
enter()
  .then(() => Promise.all([listFaces(), listLanguages()]))
  .then(() => document.body.classList.add("entered"))
  .catch((error) => { complain(error); $("start").disabled = true; });
