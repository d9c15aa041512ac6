// Runs in the page beside an unmodified simli-client 3.x: starts a session and notes what a viewer sees and hears.

window.drive = async ({ http, ws, key, face, config = {}, mode = "p2p" }) => {
  const { SimliClient, generateSimliSessionToken, generateIceServers } = window.client;
  const video = Object.assign(document.createElement("video"), { autoplay: true, playsInline: true, muted: true });
  const audio = Object.assign(document.createElement("audio"), { autoplay: true });
  document.body.append(video, audio);
  const events = [];
  const began = performance.now();
  const note = (name) => (detail) => events.push([(performance.now() - began) / 1000, name, detail ?? null]);

  const { session_token: token } = await generateSimliSessionToken(
    { config: { faceId: face, handleSilence: true, maxSessionLength: 600, maxIdleTime: 300, ...config }, apiKey: key }, http);
  const ice = await generateIceServers(key, http);
  const client = new SimliClient(token, video, audio, ice, undefined, mode, "websockets", ws);
  for (const name of ["start", "stop", "error", "speaking", "silent", "unknown", "startup_error", "ack", "destination"])
    client.on(name, note(name));
  window.session = { client, events, token, ice, seen: [], heard: [] };
  await client.start();
  window.session.startMs = performance.now() - began;
  watch(video, audio, window.session);
  return window.session.startMs;
};

function watch(video, audio, session) {
  const size = 12;
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const onFrame = (now, meta) => {
    const { videoWidth: w, videoHeight: h } = video;
    paint.drawImage(video, w / 4, h / 2, w / 2, (h * 3) / 8, 0, 0, size, size);
    const { data } = paint.getImageData(0, 0, size, size);
    const grey = [];
    for (let i = 0; i < data.length; i += 4) grey.push(0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]);
    session.seen.push([now / 1000, grey]);
    session.size = [w, h];
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);

  const context = new AudioContext();
  const meter = Object.assign(context.createAnalyser(), { fftSize: 1024 });
  context.createMediaStreamSource(audio.srcObject).connect(meter);
  const wave = new Float32Array(1024);
  setInterval(() => {
    meter.getFloatTimeDomainData(wave);
    session.heard.push([performance.now() / 1000, Math.sqrt(wave.reduce((sum, x) => sum + x * x, 0) / 1024) * 32768]);
  }, 20);
}

// How much longer the browser keeps pictures than sound (seconds, on average): a busy machine, or a page that plays them
// by elements of their own, parts what was sent together.
window.parted = async () => {
  for (const peer of window.peers) {
    const kept = {};
    for (const stats of (await peer.getStats()).values()) {
      if (stats.type !== "inbound-rtp") continue;
      kept[stats.kind] = stats.kind === "video"
        ? stats.totalProcessingDelay / stats.framesDecoded : stats.jitterBufferDelay / stats.jitterBufferEmittedCount;
    }
    if (kept.audio > 0 && kept.video > 0) return kept.video - kept.audio;
  }
  return null;
};

window.bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
window.report = () => {
  const { events, seen, heard, size } = window.session;
  return { events, seen, heard, size };
};
