// Who the page is: a short-lived token, got for the one-time code in the address. The API key never comes here.

import { GONE, ofCode } from "/web/words.js";

const STORE = "mouthpiece-access";
const HOW = "Run “mouthpiece url” on the server and open the address that it prints.";

export class AccessError extends Error {}

async function ask(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Error(GONE);
  }
}

async function exchange(body, headers = {}) {
  const answer = await ask("/web/access", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    forget();
    throw new AccessError(body.code ? `This address was used already, or is too old: it lets one browser in, once. ${HOW}`
      : `This page’s access has ended. ${HOW}`);
  }
  const { token, expires_in: seconds } = await answer.json();
  const access = { token, until: Date.now() + seconds * 1000 };
  sessionStorage.setItem(STORE, JSON.stringify(access));
  return access;
}

function stored() {
  const access = JSON.parse(sessionStorage.getItem(STORE) ?? "null");
  return access && access.until > Date.now() ? access : null;
}

function forget() {
  access = null;
  sessionStorage.removeItem(STORE);
}

// The code leaves the address bar at once, so that it is not copied along with it.
function takeCode() {
  const address = new URL(location.href);
  const code = address.searchParams.get("code");
  address.searchParams.delete("code");
  history.replaceState(null, "", address);
  return code;
}

let access = null;

// Returns whether this is the first visit: the one with the code.
export async function enter() {
  const code = takeCode();
  const kept = stored();
  access = kept;
  if (code) {
    try {
      access = await exchange({ code });
      return true;
    } catch (error) {
      if (!kept) throw error;
      access = kept; // opened a second time in the same tab
      sessionStorage.setItem(STORE, JSON.stringify(kept));
    }
  }
  if (!access) throw new AccessError(`This page needs an address with a one-time code. ${HOW}`);
  return false;
}

// Headers for a request; renews the token before it ends.
export async function headers() {
  if (!access || access.until < Date.now()) throw new AccessError(`This page’s access has ended. ${HOW}`);
  if (access.until - Date.now() < 10 * 60 * 1000) access = await exchange({}, { "x-simli-api-key": access.token });
  return { "x-simli-api-key": access.token, "content-type": "application/json" };
}

// A request to the public API with a JSON body, or with a form; failures become errors with words for people.
export async function call(method, path, body) {
  const form = body instanceof FormData;
  const { "content-type": json, ...key } = await headers();
  const answer = await ask(path, {
    method,
    headers: form ? key : { ...key, "content-type": json },
    body: form ? body : body && JSON.stringify(body),
  });
  if (answer.ok) return answer;
  throw await told(answer);
}

// What a refusal means: an error with the API's code, and words for people.
export async function told(answer) {
  let words = `The server answered ${answer.status}.`;
  let code = "";
  try {
    const reply = await answer.json();
    code = reply.code;
    const said = typeof reply.detail === "string" ? reply.detail : reply.detail.map((one) => one.msg).join("; ");
    words = ofCode(code) ?? said;
  } catch { /* not JSON: the status has to do */ }
  if (code === "INVALID_API_KEY") {
    forget();
    return new AccessError(`This page’s access has ended. ${HOW}`);
  }
  return Object.assign(new Error(words), { code });
}
