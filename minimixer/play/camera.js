/* Photos from a file, the clipboard or the camera. */

/* Call found(picture, width, height) for each photo that is opened, dropped or pasted; failed() for what is none. */
export function watchPhotos(input, found, failed) {
  const read = async (files) => {
    const file = [...files].find((candidate) => candidate.type.startsWith("image/")) ?? files[0];
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      found(picture, picture.width, picture.height);
      picture.close();
    } catch {
      failed(file.name);
    }
  };
  input.addEventListener("change", async () => {
    await read(input.files);
    input.value = "";
  });
  const over = (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", event.type === "dragover");
  };
  for (const name of ["dragover", "dragleave"]) document.addEventListener(name, over);
  document.addEventListener("drop", (event) => {
    over(event);
    read(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => read(event.clipboardData.files));
}

/* The camera, if the page may use it: frame(video, width, height) is called for each of its pictures. */
export class Camera {
  constructor(video, frame) {
    Object.assign(this, { video, frame });
  }

  static get isThere() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  get runs() {
    return Boolean(this.stream);
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    this.video.srcObject = this.stream;
    this.video.hidden = false;
    await this.video.play();
    this.look();
  }

  look() {
    if (!this.runs) return;
    this.frame(this.video, this.video.videoWidth, this.video.videoHeight);
    requestAnimationFrame(() => this.look());
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.video.srcObject = null;
    this.video.hidden = true;
  }
}
