/* The patches of an image fly apart into the rows of a table. */
import { toImageData } from "./pixels.js";
import { element } from "./tables.js";

const [WIDTH, HEIGHT, GAP, TABLE] = [760, 270, 6, 300];
const SECONDS = 1.8;
const ease = (t) => t * t * (3 - 2 * t);
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/* A figure that shows them; it flies when it is first drawn, and again when pressed. */
export class Flight {
  constructor({ pixels, width, height, channels, patch }) {
    Object.assign(this, { pixels, width, height, channels, patch });
    this.columns = width / patch;
    this.count = (height / patch) * this.columns;
    this.image = new OffscreenCanvas(width, height);
    this.image.getContext("2d").putImageData(toImageData(pixels, width, channels), 0, 0);
    this.canvas = element("canvas", { width: 2 * WIDTH, height: 2 * HEIGHT });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${this.count} patches become the ${this.count} rows of a table`);
    const [patches, rows] = [
      `${this.count} patches of ${patch} × ${patch}`,
      `${this.count} rows of ${patch * patch * channels}`,
    ];
    const names = element(
      "figcaption",
      {},
      element("span", { textContent: patches }),
      element("span", { textContent: rows }),
    );
    this.figure = element("figure", { className: "flight" }, this.canvas, names);
    this.canvas.addEventListener("click", () => this.fly());
    this.canvas.title = "Press to see it again";
  }

  fly() {
    cancelAnimationFrame(this.frame);
    if (still()) return this.draw(1);
    const start = performance.now();
    const next = (now) => {
      const t = Math.min(1, (now - start) / 1000 / SECONDS);
      this.draw(Math.max(0, t));
      if (t < 1 && this.canvas.isConnected) this.frame = requestAnimationFrame(next);
    };
    next(start);
  }

  /* Where pixel k of patch s is: left, top, width, height, at the time t of its own flight. */
  place(s, k, t) {
    const { patch, columns, count } = this;
    const pixel = (HEIGHT - GAP * (this.height / patch - 1)) / this.height;
    const [row, column] = [Math.floor(k / patch), k % patch];
    const from = [
      (s % columns) * (patch * pixel + GAP) + column * pixel,
      Math.floor(s / columns) * (patch * pixel + GAP) + row * pixel,
      pixel,
      pixel,
    ];
    const [cell, high] = [TABLE / patch ** 2, HEIGHT / count];
    const to = [WIDTH - TABLE + k * cell, s * high, cell, high * (count > 40 ? 0.86 : 0.9)];
    return from.map((value, i) => value + (to[i] - value) * t);
  }

  /* A patch in its place in the image. */
  drawPatch(context, s, opacity) {
    const { patch, columns } = this;
    const [x, y, pixel] = this.place(s, 0, 0);
    context.globalAlpha = opacity;
    context.drawImage(
      this.image,
      (s % columns) * patch,
      Math.floor(s / columns) * patch,
      patch,
      patch,
      x,
      y,
      patch * pixel,
      patch * pixel,
    );
    context.globalAlpha = 1;
  }

  arrow(context, opacity) {
    const [left, right, middle] = [HEIGHT + 60, WIDTH - TABLE - 60, HEIGHT / 2];
    context.strokeStyle = `rgb(130 136 144 / ${opacity})`;
    context.lineWidth = 3;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(left, middle);
    context.lineTo(right, middle);
    context.moveTo(right - 12, middle - 10);
    context.lineTo(right, middle);
    context.lineTo(right - 12, middle + 10);
    context.stroke();
  }

  draw(t) {
    const context = this.canvas.getContext("2d");
    const { patch, columns, count, channels, pixels, width } = this;
    context.setTransform(2, 0, 0, 2, 0, 0);
    context.clearRect(0, 0, WIDTH, HEIGHT);
    this.arrow(context, Math.min(1, Math.max(0, 4 * t - 3)));
    context.imageSmoothingEnabled = false;
    const step = Math.max(1, Math.floor(patch / 8)); // of large patches only some pixels
    for (let s = 0; s < count; s++) {
      const mine = ease(Math.min(1, Math.max(0, 1.6 * t - (0.6 * s) / count)));
      this.drawPatch(context, s, mine > 0 ? 0.22 : 1);
      for (let k = 0; k < patch * patch && mine > 0; k++) {
        if (Math.floor(k / patch) % step || k % step) continue;
        const [row, column] = [
          Math.floor(s / columns) * patch + Math.floor(k / patch),
          (s % columns) * patch + (k % patch),
        ];
        const start = (row * width + column) * channels;
        const color = [0, 1, 2].map((c) => pixels[start + (channels === 3 ? c : 0)]);
        const [x, y, w, h] = this.place(s, k, mine);
        context.fillStyle = `rgb(${color.join(" ")})`;
        context.fillRect(x, y, w * step + 0.4, h * (1 + (step - 1) * (1 - mine)) + 0.2);
      }
    }
  }
}
