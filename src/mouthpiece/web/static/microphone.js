// Runs on the audio thread: whatever the device's rate, 20 ms pieces at 16 kHz leave.

const RATE = 16000;
const PIECE = 320;

class MicrophoneProcessor extends AudioWorkletProcessor {
  #piece = new Float32Array(PIECE);
  #filled = 0;
  #sum = 0; // of the input samples that make the next output sample: averaging them keeps aliases down
  #count = 0;
  #phase = 0;

  process([[input]]) {
    for (const sample of input ?? []) {
      this.#sum += sample;
      this.#count += 1;
      this.#phase += RATE;
      if (this.#phase < sampleRate) continue;
      this.#phase -= sampleRate;
      this.#emit(this.#sum / this.#count);
      this.#sum = this.#count = 0;
    }
    return true;
  }

  #emit(sample) {
    this.#piece[this.#filled++] = sample;
    if (this.#filled < PIECE) return;
    const level = Math.min(1, Math.sqrt(this.#piece.reduce((sum, s) => sum + s * s, 0) / PIECE) * 4);
    this.port.postMessage({ samples: this.#piece.slice(), level });
    this.#filled = 0;
  }
}

registerProcessor("microphone", MicrophoneProcessor);
