// The studio's part of the API: drafts, their pictures, and the account's own faces.

import { call, headers, told } from "/web/access.js";
import { GONE } from "/web/words.js";

// What an image shows until its picture is there: nothing, and no frame either.
export const BLANK = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

const POLL_MS = 400;
const SENDING = 15; // percent of the bar for sending the picture

const at = (id) => `/studio/drafts/${encodeURIComponent(id)}`;
const json = async (answer) => (await answer).json();

export const kit = () => json(call("GET", "/studio/kit"));
export const ownFaces = () => json(call("GET", "/studio/faces"));
export const draft = (id) => json(call("GET", at(id)));
export const openFace = (faceId) => json(call("POST", "/studio/drafts", form({ face_id: faceId })));
export const correct = (id, landmarks) => json(call("PUT", `${at(id)}/landmarks`, { landmarks }));
export const save = (id, how) => json(call("POST", `${at(id)}/save`, how));
export const discard = (id) => call("DELETE", at(id));
export const deleteFace = (id) => call("DELETE", `/faces/trinity/${encodeURIComponent(id)}`);

export function preview(id, { version, viseme = "sil", emotion = "natural", weight = 1, size = 512 }) {
  return picture(`/studio/preview/${encodeURIComponent(id)}?${new URLSearchParams({ viseme, emotion, weight, size, v: version })}`);
}
export const portrait = ({ id, version }) => picture(`${at(id)}/portrait?v=${version}`);
export const matte = ({ id, version }) => picture(`${at(id)}/matte?v=${version}`);

// A picture behind the key, as an address that an image takes, to be revoked when it is not shown any more.
export async function picture(path) {
  return URL.createObjectURL(await (await call("GET", path)).blob());
}

// Until a face that was saved can be called: one that was opened again is made again first.
export async function usable(face, hear) {
  while (face && face.state !== "ready") {
    if (face.state === "failed") throw new Error(face.error);
    hear(face.progress, face.stage);
    await new Promise((done) => setTimeout(done, POLL_MS));
    face = (await ownFaces()).find(({ id }) => id === face.id);
  }
}

function form(parts) {
  const body = new FormData();
  for (const [name, value] of Object.entries(parts)) if (value !== undefined && value !== null) body.append(name, value);
  return body;
}

// Begin a draft from a picture file. Sending a large one takes a while: hear(percent, words).
export async function begin(image, { landmarks, faceIndex, signal }, hear) {
  const { "x-simli-api-key": key } = await headers();
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/studio/drafts");
    request.setRequestHeader("x-simli-api-key", key);
    request.upload.onprogress = ({ loaded, total }) => hear(SENDING * loaded / total, "sending the picture");
    request.onload = () => {
      const answer = new Response(request.responseText, { status: request.status });
      answer.ok ? done(answer.json()) : told(answer).then(fail);
    };
    request.onerror = () => fail(new Error(GONE));
    request.onabort = () => fail(null);
    signal.addEventListener("abort", () => request.abort());
    request.send(form({ image, landmarks, face_index: faceIndex }));
  });
}

// Until it is made, or could not be; tells how far it is. Null when the signal said so.
export async function made(now, signal, hear) {
  while (now.state === "queued" || now.state === "running") {
    const words = now.queue_position ? `waiting: ${now.queue_position} before it` : now.stage;
    hear(SENDING + (100 - SENDING) * now.progress / 100, words);
    await new Promise((done) => setTimeout(done, POLL_MS));
    if (signal.aborted) return null;
    now = await draft(now.id);
  }
  return signal.aborted ? null : now;
}
