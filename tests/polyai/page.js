// A page that does what the gateway's document says, step by step, with the document's own messages.
// samples: the document's JSON by type. Everything that happens is kept in window.call.
async function startCall({ signal, ice, samples, token, more }) {
  const call = (window.call = { log: [], errors: [], loud: 0, sessionId: "", closed: null });
  const filled = (type, changes) => JSON.stringify({ ...samples[type], ...changes });

  // 1. Open a WebSocket connection to the signaling endpoint
  const ws = (call.ws = new WebSocket(signal));
  await new Promise((resolve, reject) => { ws.onopen = resolve; ws.onerror = reject; });

  // 2. Create a WebRTC peer connection and collect microphone audio
  const { iceServers } = await (await fetch(ice)).json();
  const pc = (call.pc = new RTCPeerConnection({ iceServers }));
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  microphone.getTracks().forEach((track) => pc.addTrack(track, microphone));
  pc.ontrack = ({ streams }) => listen(streams[0]);

  const waiting = [];
  const trickle = (candidate) => ws.send(filled("ice-candidate", {
    sessionId: call.sessionId,
    data: { candidate: candidate.candidate, sdpMid: candidate.sdpMid, sdpMLineIndex: candidate.sdpMLineIndex },
  }));
  pc.onicecandidate = ({ candidate }) => {
    if (!candidate) return;
    call.log.push("ours");
    if (call.sessionId) trickle(candidate); else waiting.push(candidate);
  };

  ws.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    call.log.push(message.type);
    if (message.type === "answer") { // 4. Receive an answer message containing SDP and a session identifier
      call.sessionId = message.sessionId;
      call.answer = message.data.sdp;
      await pc.setRemoteDescription(message.data);
      waiting.splice(0).forEach(trickle); // 5. Exchange ICE candidates until the connection is established
    } else if (message.type === "ice-candidate") {
      await pc.addIceCandidate(message.data).catch((error) => call.errors.push(String(error)));
    } else if (message.type === "error") call.errors.push(message.data);
  };
  ws.onclose = ({ code }) => { call.closed = code; };

  // 3. Send an offer message containing SDP and your auth token
  await pc.setLocalDescription(await pc.createOffer());
  ws.send(filled("offer", { data: { type: "offer", sdp: pc.localDescription.sdp }, authToken: token, ...more }));

  // 6. Audio flows bidirectionally
  async function listen(stream) {
    const player = new Audio();
    player.srcObject = stream;
    await player.play();
    const context = new AudioContext();
    const meter = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(meter);
    const level = new Float32Array(meter.fftSize);
    setInterval(() => {
      meter.getFloatTimeDomainData(level);
      call.loud += Math.max(...level.map(Math.abs)) > 0.02;
    }, 50);
  }
}

const hangUp = (samples) =>
  window.call.ws.send(JSON.stringify({ ...samples.close, sessionId: window.call.sessionId }));

async function codecs() {
  const stats = [...(await window.call.pc.getStats()).values()];
  const of = (type) => stats.filter((each) => each.type === type && each.kind === "audio")
    .map((each) => stats.find((codec) => codec.id === each.codecId));
  return [...of("inbound-rtp"), ...of("outbound-rtp")].map((it) => it && [it.mimeType, it.clockRate, it.channels]);
}
