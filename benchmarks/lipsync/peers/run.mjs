// Runs a peer over raw sound (16 kHz, mono, 16 bit, little-endian), as it would run in a page, and prints its viseme
// of every 10 ms (the order of the package's VISEMES) as one JSON array.  node run.mjs PEER FILE
import { readFileSync } from "node:fs";

const [peer, file] = process.argv.slice(2);
const bytes = readFileSync(file);
const pcm = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
const sound = Float32Array.from(pcm, (v) => v / 32768);
const FRAMES = Math.floor(sound.length / 160);
const ORDER = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U"];

// The analyser of the Web Audio API: Blackman window, smoothing over time 0.8, -100 to -30 dB in bytes.
class Analyser {
  fftSize = 2048;
  position = 0;
  get frequencyBinCount() {
    return this.fftSize / 2;
  }
  connect() {}
  getByteFrequencyData(out) {
    const n = this.fftSize;
    this.smooth ??= new Float64Array(n / 2);
    const re = new Float64Array(n);
    const im = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const window = 0.42 - 0.5 * Math.cos((2 * Math.PI * i) / n) + 0.08 * Math.cos((4 * Math.PI * i) / n);
      re[i] = (at48k(this.position - n + i) || 0) * window;
    }
    transform(re, im);
    for (let k = 0; k < n / 2; k++) {
      this.smooth[k] = 0.8 * this.smooth[k] + (0.2 * Math.hypot(re[k], im[k])) / n;
      const db = 20 * Math.log10(this.smooth[k] + 1e-12);
      out[k] = Math.max(0, Math.min(255, Math.floor((255 / 70) * (db + 100))));
    }
  }
}

function at48k(i) {
  if (i < 0) return 0;
  const low = Math.floor(i / 3);
  const part = i / 3 - low;
  return (sound[low] ?? 0) * (1 - part) + (sound[low + 1] ?? 0) * part;
}

function transform(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j]] = [re[j], re[i]];
  }
  for (let size = 2; size <= n; size <<= 1) {
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < size / 2; k++) {
        const c = Math.cos((-2 * Math.PI * k) / size);
        const s = Math.sin((-2 * Math.PI * k) / size);
        const a = start + k;
        const b = a + size / 2;
        const x = re[b] * c - im[b] * s;
        const y = re[b] * s + im[b] * c;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}

async function wawa() {
  const analyser = new Analyser();
  globalThis.window = {
    AudioContext: class {
      sampleRate = 48000;
      createAnalyser = () => analyser;
    },
  };
  let now = 0;
  globalThis.performance = { now: () => now };
  const { Lipsync } = await import("wawa-lipsync");
  const lipsync = new Lipsync();
  const told = new Array(FRAMES).fill(0);
  for (let picture = 0; ; picture++) {
    now = (picture * 1000) / 60;
    const from = Math.round(now / 10);
    if (from >= FRAMES) return told;
    analyser.position = Math.round(now * 48);
    lipsync.processAudio();
    told.fill(ORDER.indexOf(lipsync.viseme.replace("viseme_", "")), from);
  }
}

async function headaudio() {
  const folder = new URL("node_modules/@met4citizen/headaudio/", import.meta.url);
  const { Processor } = await import(new URL("modules/processor.mjs", folder));
  const { Training } = await import(new URL("modules/training.mjs", folder));
  const model = readFileSync(new URL("dist/model-en-mixed.bin", folder));
  globalThis.fetch = async () => ({
    ok: true,
    arrayBuffer: async () => model.buffer.slice(model.byteOffset, model.byteOffset + model.length),
  });
  const names = ["aa", "E", "I", "O", "U", "PP", "SS", "TH", "DD", "FF", "kk", "nn", "RR", "CH", "sil"];
  let active = 0;
  const post = (m) => {
    if (m.event === "viseme" && m.viseme) active = ORDER.indexOf(names[m.viseme]);
    if (m.event === "ended") active = 0;
  };
  const processor = new Processor({ sampleRate: 16000 }, { port: { postMessage: post } });
  const loaded = await new Training().loadModel("model");
  processor._onmessage({ data: { event: "model", model: loaded.model } });
  const told = new Array(FRAMES);
  for (let i = 0; i < FRAMES; i++) {
    processor.process(sound.subarray(i * 160, (i + 1) * 160));
    told[i] = active;
  }
  return told;
}

// Rhubarb's shapes are not visemes: each is given the viseme that looks most like it.
const SHAPES = { X: 0, A: 1, G: 2, B: 7, H: 8, C: 11, D: 10, E: 13, F: 14 };

async function rhubarb() {
  const { Rhubarb } = await import("rhubarb-lip-sync-wasm");
  const { mouthCues } = await Rhubarb.getLipSync(Buffer.from(bytes), {});
  const told = new Array(FRAMES).fill(0);
  for (const cue of mouthCues) told.fill(SHAPES[cue.value], Math.round(cue.start * 100), Math.round(cue.end * 100));
  return told;
}

const answer = await { wawa, headaudio, rhubarb }[peer]();
process.stdout.write(JSON.stringify(answer) + "\n");
process.exit(0);
