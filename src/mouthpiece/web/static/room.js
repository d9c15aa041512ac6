// A voice conversation with the avatar: microphone up, face and voice down, captions of both, over one socket.

const RETRIES = 6;
const STATES = { listening: "listening", thinking: "thinking", speaking: "speaking" };
const ENDS = {
  idle: "The conversation ended because nobody spoke.",
  max: "The conversation reached its longest time.",
  done: "The conversation is over.",
  ended: "The conversation is over.",
  taken_over: "The conversation goes on in another window.",
  shutdown: "The server is being restarted. Please come back in a moment.",
};
const REFUSALS = {
  CONVERSATION_OVER: "This conversation is over. Start a new one where you got the link.",
  SESSION_TOKEN_EXPIRED: "This link has expired. Ask for a new one.",
  INVALID_SESSION_TOKEN: "This link is damaged. Copy the whole of it.",
  NOT_FOUND: "This conversation does not exist.",
  ORIGIN_NOT_ALLOWED: "This page may not be used here.",
  NOT_CONFIGURED: "Voice agents are not installed on this server.",
};

const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") ?? "";
const session = location.pathname.split("/").filter(Boolean).at(-1);

let call = null;
let said = []; // lines for good, in order
let muted = false;

// --- what is shown -------------------------------------------------------------------------------------------------
function show(state, words = state) {
  $("state").dataset.state = state;
  $("state").textContent = words;
  $("interrupt").disabled = state !== "speaking";
}

function complain(words) {
  $("error").textContent = words ?? "";
  $("error").hidden = !words;
}

function caption(role, text) {
  $("captions").replaceChildren();
  if (role === "user") $("captions").append(Object.assign(document.createElement("b"), { textContent: "You: " }));
  $("captions").append(tail(text));
  $("captions").hidden = !text;
}

// The last words of what is being said: two lines of them can be read in passing.
function tail(text, most = 110) {
  if (text.length <= most) return text;
  const cut = text.slice(-most);
  return `… ${cut.slice(cut.indexOf(" ") + 1)}`;
}

function addLine(line) {
  said.push(line);
  const item = document.createElement("li");
  item.className = line.role + (line.interrupted ? " cut" : "");
  item.append(Object.assign(document.createElement("b"), { textContent: line.role === "user" ? "You" : "Avatar" }), line.content);
  $("lines").append(item);
  $("script").scrollTop = $("script").scrollHeight;
  $("save").hidden = false;
}

function inCall(on) {
  for (const id of ["mute", "interrupt", "words", "end"]) $(id).hidden = !on;
  $("join").hidden = on;
  $("level").hidden = !on;
}

// --- the call ------------------------------------------------------------------------------------------------------
class Call {
  #stream; #socket; #peer; #lost = 0; #over = false; #retry = 0;

  async start() {
    this.#stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    meter(this.#stream);
    this.mute(muted);
    this.#connect();
  }

  mute(on) {
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !on;
  }

  say(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #connect() {
    show("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = (this.#socket = new WebSocket(`${scheme}://${location.host}/auto/room?token=${encodeURIComponent(token)}`));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#hear(data).catch((error) => this.finish(String(error), true));
    socket.onclose = () => socket === this.#socket && this.#dropped();
  }

  async #offer(iceServers) {
    const peer = (this.#peer = new RTCPeerConnection({ iceServers }));
    const stream = ($("video").srcObject = new MediaStream());
    for (const track of this.#stream.getAudioTracks()) peer.addTrack(track, this.#stream);
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      $("video").play().catch((error) => { if (error.name === "NotAllowedError") silence(true); });
    };
    peer.onconnectionstatechange = () => {
      if (peer === this.#peer && peer.connectionState === "failed") this.#dropped();
    };
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    this.#socket.send(JSON.stringify({ type: "offer", sdp: peer.localDescription.sdp }));
  }

  async #hear(text) {
    if (!text.startsWith("{")) {
      const [word, code] = text.split(" ");
      if (word === "ERROR") return this.finish(REFUSALS[code] ?? `The server refused: ${code}`, true);
      if (word === "RATE") return this.finish("The server is full. Please try again in a moment.", true);
      return undefined;
    }
    const message = JSON.parse(text);
    switch (message.type) {
      case "welcome":
        $("poster").hidden = false;
        $("poster").src = `/web/posters/${encodeURIComponent(message.face)}.jpg`;
        return this.#offer(message.ice);
      case "answer":
        await this.#peer.setRemoteDescription(message);
        this.#lost = 0;
        show("listening");
        break;
      case "state":
        if (message.who === "assistant") show(message.what, STATES[message.what]);
        else if (message.what === "speaking") show("listening", "hears you");
        break;
      case "caption": caption(message.role, message.text); break;
      case "said": addLine(message); break;
      case "fault": complain(`The ${message.stage} of the avatar has a problem; it goes on as well as it can.`); break;
      case "over": this.finish(ENDS[message.reason] ?? "The conversation is over.", !(message.reason in ENDS)); break;
    }
    return undefined;
  }

  // The network went away: come back to the same conversation, which remembers what was said.
  #dropped() {
    if (this.#over) return;
    this.#socket.onclose = null;
    this.#socket.close();
    this.#peer?.close();
    if (this.#lost++ >= RETRIES) return this.finish("The connection was lost.", true);
    show("connecting", "connecting again");
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#over || this.#connect(), Math.min(4000, 300 * 2 ** (this.#lost - 1)));
  }

  // For tests, and for pages that know that the network has changed.
  drop() { this.#socket?.close(); }

  finish(words, failed = false) {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#peer?.close();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    call = null;
    $("call").classList.remove("live");
    inCall(false);
    caption("", "");
    show(failed ? "failed" : "ready", failed ? "not connected" : "ended");
    complain(words);
    $("join").textContent = failed ? "Try again" : "Start again";
    $("join").hidden = !failed;
  }
}

function gathered(peer, patience = 500) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((done) => {
    setTimeout(done, patience);
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && done());
  });
}

function meter(stream) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  (function look() {
    if (!stream.active) return void context.close();
    analyser.getFloatTimeDomainData(samples);
    $("level").value = Math.min(1, 4 * Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length));
    setTimeout(look, 80);
  })();
}

function silence(on) {
  $("video").muted = on;
  $("unmute").hidden = !on;
  $("video").play().catch(() => {});
}

async function join() {
  complain();
  inCall(true);
  call = new Call();
  try {
    await call.start();
  } catch (error) {
    call.finish(error.name === "NotAllowedError" ? "The browser was not allowed to use the microphone."
      : error.name === "NotFoundError" ? "No microphone was found." : String(error.message ?? error), true);
  }
}

function save() {
  const text = said.map((line) => {
    const at = new Date(line.timestamp * 1000).toISOString();
    return `[${at}] ${line.role === "user" ? "You" : "Avatar"}: ${line.content}${line.interrupted ? " —" : ""}`;
  }).join("\n");
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(new Blob([text + "\n"], { type: "text/plain" })), download: `conversation-${session}.txt`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

$("join").onclick = join;
$("end").onclick = () => { call?.say({ type: "end" }); setTimeout(() => call?.finish(ENDS.ended), 1500); };
$("interrupt").onclick = () => call?.say({ type: "interrupt" });
$("unmute").onclick = () => silence(false);
$("save").onclick = save;
$("mute").onclick = () => {
  muted = !muted;
  call?.mute(muted);
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute").firstElementChild.textContent = muted ? "Unmute" : "Mute";
};
$("words").onclick = () => {
  $("script").hidden = !$("script").hidden;
  $("words").setAttribute("aria-pressed", String(!$("script").hidden));
};
$("video").requestVideoFrameCallback?.(function first() { $("call").classList.add("live"); });
$("video").onplaying = () => $("call").classList.add("live");
window.addEventListener("online", () => call?.drop());
window.roomCall = () => call;
if (!token) { complain("This link is not complete. Copy the whole of it."); $("join").disabled = true; }
if (!window.isSecureContext) complain("This page was opened without TLS, so the browser gives it no microphone.");
