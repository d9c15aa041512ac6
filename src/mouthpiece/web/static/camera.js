// The camera: what it sees in a video element, and one picture of it.

const REASONS = {
  NotAllowedError: "The browser was not allowed to use the camera: allow it beside the address.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program.",
};

export class Camera {
  #video; #stream;

  constructor(video) {
    this.#video = video;
  }

  async open() {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1080 } },
      });
    } catch (error) {
      throw REASONS[error?.name] ? new Error(REASONS[error.name]) : error;
    }
    this.#video.srcObject = this.#stream;
    await this.#video.play();
  }

  // A JPEG of what it sees now, as others see it: not mirrored.
  async shoot() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    if (!width) throw new Error("The camera shows nothing yet: wait a moment.");
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    return new File([await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 })], "photo.jpg", { type: "image/jpeg" });
  }

  close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = this.#video.srcObject = null;
  }
}
