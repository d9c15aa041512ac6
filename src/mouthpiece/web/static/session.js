// One conversation with the avatar, over the public API only: token, ICE servers, WebSocket, peer connection.

import { call } from "/web/access.js";
import { LOST, NO_MEDIA, ofEnd, ofRefusal } from "/web/words.js";

const CHUNK = 6000; // bytes of PCM16LE at 16 kHz a message: 187 ms
const AHEAD_S = 20; // how much sound is sent ahead of its playing
const RETRIES = 3;
const LOUD = 1000; // a sample that is speech and not hum

export class AvatarSession extends EventTarget {
  #token; #socket; #peer; #element; #queue = []; #onset = 0; #sentUntil = 0; #pump = 0;
  #ended = false; #reason = ""; #lost = 0; #state = "";

  constructor(element) {
    super();
    this.#element = element;
  }

  async start(faceId) {
    this.#enter("connecting");
    const [token, ice] = await Promise.all([
      call("POST", "/compose/token", { faceId, maxSessionLength: 3600, maxIdleTime: 600 }),
      call("GET", "/compose/ice"),
    ]);
    this.#token = (await token.json()).session_token;
    if (!this.#ended) await this.#connect(await ice.json());
  }

  // Queue speech: Int16Array at 16 kHz, and its phones where they are known, which close the lips exactly.
  say(pcm, phones = null) {
    const bytes = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    if (!this.#queue.length) this.#expect(pcm);
    if (phones) this.#queue.push(JSON.stringify({ type: "script", phones }));
    for (let i = 0; i < bytes.length; i += CHUNK) this.#queue.push(bytes.subarray(i, i + CHUNK));
    this.#flush();
  }

  // Live sound: send now, keep nothing back.
  stream(pcm) {
    this.#expect(pcm);
    this.#send(pcm);
  }

  interrupt() {
    this.#queue = [];
    this.#onset = this.#sentUntil = 0;
    this.#send("SKIP");
  }

  stop() {
    this.#finish("ended");
  }

  async #connect(iceServers) {
    const peer = (this.#peer = new RTCPeerConnection({ iceServers }));
    const stream = (this.#element.srcObject = new MediaStream()); // one stream: the browser keeps its tracks together
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      this.#element.play().catch((error) => error.name === "NotAllowedError" && this.#tell("blocked"));
    };
    peer.onconnectionstatechange = () => peer.connectionState === "failed" && this.#finish(NO_MEDIA, true);
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    if (this.#ended) return peer.close();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const address = `${scheme}://${location.host}/compose/webrtc/p2p?session_token=${encodeURIComponent(this.#token)}`;
    const socket = (this.#socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ type: "offer", sdp: peer.localDescription.sdp }));
    socket.onmessage = ({ data }) => this.#hear(data).catch((error) => this.#finish(String(error), true));
    socket.onclose = () => this.#dropped(iceServers);
  }

  async #hear(text) {
    if (text.startsWith("{")) {
      const message = JSON.parse(text);
      if (message.sdp) await this.#peer.setRemoteDescription(message);
      return;
    }
    switch (text.split(" ")[0]) {
      case "START": this.#lost = 0; this.#enter("listening"); this.#begin(); break;
      case "SPEAK":
        if (this.#onset) this.#tell("lag", Math.max(0, performance.now() - this.#onset));
        this.#onset = 0;
        this.#enter("speaking");
        break;
      case "SILENT": this.#enter("listening"); break;
      case "CLOSING": this.#reason = ofEnd(text); break;
      case "ERROR": case "RATE": this.#finish(ofRefusal(text), true); break;
      case "STOP": this.#finish(this.#reason || "ended"); break;
    }
  }

  #send(data) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(data);
  }

  // What was said while we connected.
  #begin() {
    const first = this.#queue.find((piece) => typeof piece !== "string");
    if (first) this.#expect(new Int16Array(first.slice().buffer));
    this.#flush();
  }

  // Remember when the first loud sample that is not spoken yet leaves, to measure the answer to it.
  #expect(pcm) {
    if (this.#onset || this.#state !== "listening") return;
    const at = pcm.findIndex((sample) => Math.abs(sample) > LOUD);
    if (at >= 0) this.#onset = performance.now() + at / 16;
  }

  // Long speech is sent a little ahead of its playing, so that an interruption throws little away.
  #flush() {
    clearTimeout(this.#pump);
    const now = performance.now() / 1000;
    this.#sentUntil = Math.max(this.#sentUntil, now);
    const open = this.#socket?.readyState === WebSocket.OPEN && this.#state !== "connecting";
    while (open && this.#queue.length && this.#sentUntil - now < AHEAD_S) {
      const piece = this.#queue.shift();
      if (typeof piece !== "string") this.#sentUntil += piece.length / 32000;
      this.#send(piece);
    }
    if (this.#queue.length) this.#pump = setTimeout(() => this.#flush(), 500);
  }

  #dropped(iceServers) {
    if (this.#ended) return;
    this.#peer?.close();
    if (this.#lost++ >= RETRIES) return this.#finish(LOST, true);
    this.#onset = 0;
    this.#enter("connecting", "reconnecting");
    setTimeout(() => this.#ended || this.#connect(iceServers), 500 * this.#lost);
  }

  #finish(reason, failed = false) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#pump);
    this.#socket?.close();
    this.#peer?.close();
    this.#tell("end", { reason, failed });
  }

  #enter(state, words) {
    this.#state = state;
    this.#tell("state", { state, words });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // Numbers of the receiving side: round trip and playout buffer in milliseconds, codec; null where not known yet.
  async numbers() {
    const found = { rtt: null, buffer: null, codec: null };
    const stats = (await this.#peer?.getStats()) ?? new Map();
    for (const one of stats.values()) {
      if (one.type === "candidate-pair" && one.nominated) found.rtt = 1000 * (one.currentRoundTripTime ?? NaN);
      if (one.type === "inbound-rtp" && one.kind === "video") {
        if (one.jitterBufferEmittedCount) found.buffer = (one.jitterBufferDelay / one.jitterBufferEmittedCount) * 1000;
        found.codec = stats.get(one.codecId)?.mimeType?.replace("video/", "") ?? null;
      }
    }
    return found;
  }
}

// The server needs no candidates of ours on an open network; relayed ones take a moment and are worth it.
function gathered(peer, patience = 500) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((done) => {
    setTimeout(done, patience);
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && done());
  });
}
