// What the server's short words mean, for people.

const CODES = {
  INVALID_FACE_ID: "This face is not there any more. Reload the page and choose another one.",
  PEER_CONNECTION_LOST: "Sound and pictures did not get through: a firewall may block UDP between this browser and the server.",
  WORKER_LOST: "The server lost this session. Press Start for a new one.",
  SESSION_TOKEN_EXPIRED: "This session has ended. Press Start for a new one.",
  OFFER_TIMEOUT: "The connection took too long. Press Start to try again.",
  NO_CAPACITY: "This server is full: every place is taken. Try again in a moment.",
  SHUTTING_DOWN: "The server is shutting down. Press Start when it is back.",
  UNAVAILABLE: "A part of the server does not answer. Try again in a moment.",
  INTERNAL_ERROR: "Something went wrong in the server; its log says what. Press Start to try again.",
};

const ENDS = {
  IDLE: "ended: nothing was said for a long time",
  MAX: "ended: the session reached its longest time",
  SHUTDOWN: "ended: the server is shutting down",
  TAKEN_OVER: "ended: another page took this session over",
  DONE: "ended",
};

export const GONE = "The server does not answer. Is it still running?";
export const LOST = "The connection to the server was lost. Press Start to try again.";
export const NO_MEDIA = CODES.PEER_CONNECTION_LOST;

// A code of the API's error table; undefined for one that speaks for itself.
export const ofCode = (code) => CODES[code];

// "CLOSING REASON: IDLE" and its like.
export const ofEnd = (text) => ENDS[text.split(" ").at(-1)] ?? "ended";

// "ERROR CODE" and "RATE reason, retry in 5 s".
export function ofRefusal(text) {
  const [word, ...rest] = text.split(" ");
  if (word === "ERROR") return CODES[rest[0]] ?? `The server refused: ${rest.join(" ")}.`;
  const [reason, when] = rest.join(" ").split(", retry in ");
  const again = when ? `Try again in ${when}.` : "Try again in a moment.";
  if (reason === "no free session") return `This server is full: every place is taken. ${again}`;
  if (reason === "server is shutting down") return CODES.SHUTTING_DOWN;
  return `Too much at once: ${reason}. ${again}`;
}
