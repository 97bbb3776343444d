/* What the model sees: the image in its patches, each a button that erases it. */
import { toImageData } from "./pixels.js";
import { element } from "./tables.js";

export class PatchGrid {
  /* events: erase(position), point(position or undefined) */
  constructor(box, rows, columns, events) {
    Object.assign(this, { columns });
    this.canvas = element("canvas", { className: "inside" });
    this.canvas.setAttribute("aria-hidden", "true");
    this.buttons = Array.from({ length: rows * columns }, (_, s) => {
      const button = element("button", { type: "button", tabIndex: s ? -1 : 0 });
      button.setAttribute(
        "aria-label",
        `patch ${s + 1}, row ${Math.floor(s / columns) + 1}, column ${(s % columns) + 1}`,
      );
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => events.erase(s));
      button.addEventListener("pointerenter", () => events.point(s));
      button.addEventListener("focus", () => events.point(s));
      button.addEventListener("blur", () => events.point());
      button.addEventListener("keydown", (event) => this.walk(event, s));
      return button;
    });
    const grid = element("div", { className: "grid inside" }, ...this.buttons);
    grid.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
    grid.addEventListener("pointerleave", () => events.point());
    box.replaceChildren(this.canvas, grid);
  }

  walk(event, s) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns }[event.key];
    const target = step && this.buttons[s + step];
    if (!target) return;
    event.preventDefault();
    this.buttons[s].tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  }

  show(pixels, width, channels) {
    const picture = toImageData(pixels, width, channels);
    this.canvas.width = picture.width;
    this.canvas.height = picture.height;
    this.canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  /* Which patches are erased, and how much each one matters (-1..1, or nothing). */
  mark(erased, importance) {
    this.buttons.forEach((button, s) => {
      button.setAttribute("aria-pressed", String(erased(s)));
      const weight = importance?.[s] ?? 0;
      button.style.setProperty("--weight", Math.abs(weight).toFixed(3));
      button.classList.toggle("helps", weight > 0);
      button.classList.toggle("harms", weight < 0);
    });
  }

  point(s) {
    this.buttons.forEach((button, k) => {
      button.classList.toggle("pointed", k === s);
    });
  }
}
