// Runs in the page beside an unmodified simli-client 1.x (and beside simli_client_v3.js, whose watch() it uses).

window.drive = async ({ http, key, face, refs = false, config = {} }) => {
  const video = Object.assign(document.createElement("video"), { autoplay: true, playsInline: true, muted: true });
  const audio = Object.assign(document.createElement("audio"), { autoplay: true });
  document.body.append(video, audio);
  const events = [];
  const began = performance.now();
  const client = new window.client.SimliClient();
  window.session = { client, events, seen: [], heard: [] };
  for (const name of ["connected", "disconnected", "failed", "speaking", "silent"])
    client.on(name, (detail) => events.push([(performance.now() - began) / 1000, name, String(detail ?? "")]));

  const firstFrame = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  client.Initialize({
    apiKey: key, faceID: face, handleSilence: true, maxSessionLength: 600, maxIdleTime: 300,
    videoRef: refs ? { current: video } : video, audioRef: refs ? { current: audio } : audio,
    SimliURL: http.replace("http", ""), maxRetryAttempts: 1, ...config,
  });
  await client.start();
  await firstFrame;
  while (!client.sessionInitialized) await new Promise((resolve) => setTimeout(resolve, 20));
  window.session.startMs = performance.now() - began;
  watch(video, audio, window.session);
  return window.session.startMs;
};
