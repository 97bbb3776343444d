/* The paper: strokes of a pen, moved by pointer or keys, or a picture; pixels() is what the model will be given. */
import { fromStrokes, scanPhoto, writing } from "./digits.js";
import { shrink, toImageData } from "./pixels.js";

const SIZE = 320; // of the paper, in its own units
const PEN = 22;
const NEAR = 3; // points that are closer are left out
const PHOTO = 128;

export class Pad {
  constructor(canvas, { side, config, pen }, changed) {
    Object.assign(this, { canvas, side, pen, changed, channels: config.in_channels });
    this.size = pen.kind === "free" ? side * Math.max(1, Math.ceil(SIZE / side)) : SIZE;
    canvas.width = canvas.height = this.size;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.context.lineCap = this.context.lineJoin = "round";
    [this.paper, this.color] = pen.bright ? ["#000000", "#ffffff"] : ["#ffffff", "#000000"];
    this.cursor = [this.size / 2, this.size / 2];
    this.clear();
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.lift());
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  clear() {
    this.fill(this.paper);
    this.empty = true;
  }

  fill(color) {
    Object.assign(this, { strokes: [], picture: null, stroke: null, empty: false });
    this.context.fillStyle = color;
    this.context.fillRect(0, 0, this.size, this.size);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.size, ((event.clientY - box.top) / box.height) * this.size];
  }

  down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.begin(this.at(event));
    this.changed(event.timeStamp);
  }

  move(event) {
    if (!this.stroke) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) this.extend(this.at(part));
    this.changed(event.timeStamp);
  }

  lift() {
    this.stroke = null;
  }

  begin(point) {
    if (this.picture && this.pen.kind !== "free") this.clear();
    this.empty = false;
    this.stroke = [point];
    this.strokes.push(this.stroke);
    this.ink(point, point, point);
  }

  extend(point) {
    const last = this.stroke.at(-1);
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < (NEAR * this.size) / SIZE) return;
    this.stroke.push(point);
    const [before, middle] = [this.stroke.at(-3) ?? last, this.stroke.at(-2)];
    this.ink(between(before, middle), middle, between(middle, point)); // a smooth curve through the middles
  }

  ink(start, corner, end) {
    this.context.strokeStyle = this.color;
    this.context.lineWidth = (PEN * this.size) / SIZE;
    this.context.beginPath();
    this.context.moveTo(...start);
    this.context.quadraticCurveTo(...corner, ...end);
    this.context.stroke();
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step) {
      this.cursor = this.cursor.map((value, i) => Math.min(this.size, Math.max(0, value + (step[i] * this.size) / 32)));
      if (this.stroke) this.extend(this.cursor);
    } else if (event.key === " ") {
      if (this.stroke) this.lift();
      else this.begin(this.cursor);
    } else if (event.key === "Escape") this.clear();
    else return;
    event.preventDefault();
    this.changed(event.timeStamp);
  }

  /* Pixels of the model's size, such as a test image: they are given to the model as they are. */
  setPixels(pixels) {
    const small = new OffscreenCanvas(this.side, this.side);
    small.getContext("2d").putImageData(toImageData(pixels, this.side, this.channels), 0, 0);
    this.fill(this.paper);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(small, 0, 0, this.size, this.size);
    this.picture = pixels;
  }

  /* A photo or a frame of the camera: the square in its middle. */
  setPhoto(source, width, height) {
    const square = Math.min(width, height);
    this.fill("#ffffff");
    this.context.imageSmoothingEnabled = true;
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(
      source,
      (width - square) / 2,
      (height - square) / 2,
      square,
      square,
      0,
      0,
      this.size,
      this.size,
    );
    if (this.pen.kind !== "free") this.picture = this.readDigit();
  }

  readDigit() {
    const size = this.pen.kind === "scan" ? PHOTO : this.side;
    const large = new OffscreenCanvas(size, size).getContext("2d");
    large.imageSmoothingQuality = "high";
    large.drawImage(this.canvas, 0, 0, size, size);
    const gray = shrink(large.getImageData(0, 0, size, size).data, size, size, 1);
    if (this.pen.kind === "scan") return scanPhoto(gray, size);
    const inkIsBright = writing(gray, size).some(([x, y]) => gray[Math.floor(y) * size + Math.floor(x)] > 127);
    return inkIsBright === this.pen.bright ? gray : gray.map((value) => 255 - value);
  }

  pixels() {
    if (this.picture && (this.pen.kind !== "free" || !this.strokes.length)) return this.picture;
    if (this.pen.kind !== "free") return fromStrokes(this.strokes, this.side, this.pen);
    const { data } = this.context.getImageData(0, 0, this.size, this.size);
    return shrink(data, this.size, this.side, this.channels);
  }
}

const between = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
