// Runs in Chromium on the server's own origin: one session, then speech whose onset is its first sample, several times.

window.measure = async ({ key, face, pcm64, rounds, quietMs }) => {
  const headers = { "x-simli-api-key": key, "content-type": "application/json" };
  const post = (path, body) => fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).then((r) => r.json());
  const { session_token: token } = await post("/compose/token", { faceId: face });
  const iceServers = await fetch("/compose/ice", { headers }).then((r) => r.json());
  const pcm = Uint8Array.from(atob(pcm64), (c) => c.charCodeAt(0));

  const video = Object.assign(document.createElement("video"), { autoplay: true, playsInline: true });
  document.body.append(video);
  const stream = (video.srcObject = new MediaStream());
  const peer = new RTCPeerConnection({ iceServers });
  peer.addTransceiver("audio", { direction: "recvonly" });
  peer.addTransceiver("video", { direction: "recvonly" });
  peer.ontrack = ({ track }) => { stream.addTrack(track); video.play(); };
  await peer.setLocalDescription(await peer.createOffer());

  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/compose/webrtc/p2p?session_token=${token}`);
  await new Promise((open) => { socket.onopen = open; });
  const seen = watchMouth(video);
  const offered = performance.now();
  socket.onmessage = ({ data }) => data.startsWith('{"sdp"') && peer.setRemoteDescription(JSON.parse(data));
  socket.send(JSON.stringify({ type: "offer", sdp: peer.localDescription.sdp }));
  await until(() => seen.length > 0);
  const out = { first_picture_ms: seen[0].at - offered, rounds: [], playout_gap_ms: [] };
  const heard = await watchSound(stream);

  for (let i = 0; i < rounds; i++) {
    await pause(quietMs);
    const sent = performance.now();
    socket.send(pcm);
    await until(() => heard.some(({ at, level }) => at > sent && level > 0.003), 5000);
    await pause(1500);
    const round = { sound_ms: heard.find(({ at, level }) => at > sent && level > 0.003).at - sent, mouth_ms: opened(seen, sent) };
    const skipped = performance.now();
    socket.send("SKIP");
    await pause(900);
    const loud = heard.filter(({ at, level }) => at > skipped && level > 0.003);
    round.skip_ms = loud.length ? loud.at(-1).at - skipped : 0;
    out.rounds.push(round);
    out.playout_gap_ms.push(await playoutGap(peer));
  }
  socket.close();
  peer.close();
  return out;
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(condition, patience = 15000) {
  const end = performance.now() + patience;
  while (!condition()) {
    if (performance.now() > end) throw new Error("waited in vain");
    await pause(2);
  }
}

// A grey 16 x 12 picture of the mouth for every frame that is presented, with the time of its presentation.
function watchMouth(video) {
  const [w, h] = [16, 12];
  const paint = Object.assign(document.createElement("canvas"), { width: w, height: h }).getContext("2d", { willReadFrequently: true });
  const seen = [];
  const onFrame = (now, { expectedDisplayTime }) => {
    const { videoWidth: vw, videoHeight: vh } = video;
    paint.drawImage(video, vw * 0.36, vh * 0.55, vw * 0.28, vh * 0.2, 0, 0, w, h);
    const { data } = paint.getImageData(0, 0, w, h);
    const grey = new Float32Array(w * h);
    for (let i = 0; i < grey.length; i++) grey[i] = 0.3 * data[4 * i] + 0.59 * data[4 * i + 1] + 0.11 * data[4 * i + 2];
    seen.push({ at: Math.max(now, expectedDisplayTime), grey });
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
  return seen;
}

// Milliseconds from sending until the mouth differs from rest by 30 % of the most that it does in this utterance.
function opened(seen, sent) {
  const before = seen.filter(({ at }) => at < sent && at > sent - 400);
  const rest = before[0].grey.map((_, i) => before.reduce((sum, { grey }) => sum + grey[i], 0) / before.length);
  const apart = ({ grey }) => grey.reduce((sum, value, i) => sum + Math.abs(value - rest[i]), 0) / grey.length;
  const noise = Math.max(...before.map(apart));
  const after = seen.filter(({ at }) => at > sent).map((one) => ({ at: one.at, by: Math.max(0, apart(one) - noise) }));
  const peak = Math.max(...after.map(({ by }) => by));
  return after.find(({ by }) => by >= 0.3 * peak).at - sent;
}

// Loudness of what is played, every 128 samples, on the audio thread.
async function watchSound(stream) {
  const code = `registerProcessor("meter", class extends AudioWorkletProcessor {
    process([[input]]) {
      if (input) this.port.postMessage(Math.sqrt(input.reduce((sum, x) => sum + x * x, 0) / input.length));
      return true;
    }
  });`;
  const context = new AudioContext({ latencyHint: 0 });
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const meter = new AudioWorkletNode(context, "meter", { numberOfOutputs: 0 });
  const heard = [];
  meter.port.onmessage = ({ data }) => heard.push({ at: performance.now(), level: data });
  context.createMediaStreamSource(new MediaStream(stream.getAudioTracks())).connect(meter);
  return heard;
}

// How far apart the browser itself believes the playout of picture and sound to be.
async function playoutGap(peer) {
  const at = {};
  for (const one of (await peer.getStats()).values())
    if (one.type === "inbound-rtp") at[one.kind] = one.estimatedPlayoutTimestamp;
  return at.video && at.audio ? at.video - at.audio : null;
}
