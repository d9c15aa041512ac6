// Sound in: files and the microphone, as Int16Array at 16 kHz mono.

const RATE = 16000;

function toPcm(samples) {
  const pcm = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) pcm[i] = Math.max(-1, Math.min(1, samples[i])) * 32767;
  return pcm;
}

// Any file that the browser can play.
export async function fromFile(file) {
  const decoder = new OfflineAudioContext(1, 1, RATE);
  const sound = await decoder.decodeAudioData(await file.arrayBuffer());
  const mixer = new OfflineAudioContext(1, Math.ceil(sound.duration * RATE), RATE);
  const source = mixer.createBufferSource();
  source.buffer = sound;
  source.connect(mixer.destination);
  source.start();
  return toPcm((await mixer.startRendering()).getChannelData(0));
}

// A WAV file as the server's voice sends it: PCM16LE, 16 kHz, mono, and its phones (null where it tells none).
export function fromWav(buffer) {
  const view = new DataView(buffer);
  const found = { pcm: null, phones: null };
  let at = 12;
  while (at + 8 <= buffer.byteLength) {
    const size = view.getUint32(at + 4, true);
    const body = buffer.slice(at + 8, Math.min(at + 8 + size, buffer.byteLength));
    const name = view.getUint32(at);
    if (name === 0x64617461) found.pcm = new Int16Array(body.slice(0, body.byteLength - (body.byteLength % 2))); // "data"
    if (name === 0x70686f6e) found.phones = JSON.parse(new TextDecoder().decode(body)); // "phon"
    at += 8 + size + (size % 2);
  }
  if (!found.pcm) throw new Error("the voice sent no sound");
  return found;
}

export class Microphone {
  #context; #stream;

  // Calls hear(pcm, level) every 20 ms; level 0..1.
  async open(hear) {
    this.#stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, channelCount: 1 },
    });
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule("/web/microphone.js");
    const node = new AudioWorkletNode(this.#context, "microphone", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => hear(toPcm(data.samples), data.level);
    this.#context.createMediaStreamSource(this.#stream).connect(node);
  }

  close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#context?.close();
    this.#context = this.#stream = undefined;
  }
}
