// Who the page is: a short-lived token, got for the one-time code in the address. The API key never comes here.

const STORE = "mouthpiece-access";

export class AccessError extends Error {}

async function exchange(body, headers = {}) {
  const answer = await fetch("/web/access", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    throw new AccessError("This page's access has ended. Open the address that the server printed when it started, " +
      "or restart the server for a new one.");
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

// The code leaves the address bar at once, so that it is not copied along with it.
function takeCode() {
  const address = new URL(location.href);
  const code = address.searchParams.get("code");
  address.searchParams.delete("code");
  history.replaceState(null, "", address);
  return code;
}

let access = null;

export async function enter() {
  const code = takeCode();
  access = stored();
  if (code) {
    try { access = await exchange({ code }); } catch (error) { if (!access) throw error; }
  }
  if (!access) throw new AccessError("Open the address that the server printed when it started: it lets this page in.");
}

// Headers for a request; renews the token when half of its time is over.
export async function headers() {
  if (!access || access.until < Date.now()) throw new AccessError("This page's access has ended. Reload it.");
  if (access.until - Date.now() < 10 * 60 * 1000) access = await exchange({}, { "x-simli-api-key": access.token });
  return { "x-simli-api-key": access.token, "content-type": "application/json" };
}

// A JSON request to the public API; failures become errors with the server's own words.
export async function call(method, path, body) {
  const answer = await fetch(path, { method, headers: await headers(), body: body && JSON.stringify(body) });
  if (answer.ok) return answer;
  let words = `${answer.status}`;
  try {
    const { detail } = await answer.json();
    words = typeof detail === "string" ? detail : detail.map((one) => one.msg).join("; ");
  } catch { /* not JSON: the status has to do */ }
  throw new Error(words);
}
