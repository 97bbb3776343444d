/* Matrices as colors: blue below zero, the background at zero, orange above; safe for color-blind readers. */

const channels = (color) => [1, 3, 5].map((start) => Number.parseInt(color.slice(start, start + 2), 16));

function palette() {
  const style = getComputedStyle(document.documentElement);
  return ["--below", "--zero", "--above"].map((name) => channels(style.getPropertyValue(name).trim()));
}

/* The value that only one number in fifty exceeds: the strongest color. */
export function strongest(...matrices) {
  const sorted = matrices.map((x) => x.data.map(Math.abs).sort());
  return Math.max(...sorted.map((values) => values[Math.floor(0.98 * (values.length - 1))]), 1e-6);
}

/* Paint a matrix into a canvas, one pixel per number. */
export function paint(canvas, x, limit) {
  const [below, zero, above] = palette();
  canvas.width = x.columns;
  canvas.height = x.rows;
  const picture = new ImageData(x.columns, x.rows);
  x.data.forEach((value, k) => {
    const share = Math.min(1, Math.abs(value) / limit);
    const color = value < 0 ? below : above;
    for (let c = 0; c < 3; c++) picture.data[4 * k + c] = zero[c] + share * (color[c] - zero[c]);
    picture.data[4 * k + 3] = 255;
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/* A captioned table.  point(row, column) is called when the pointer is on a number, and without arguments when it leaves. */
export function figure(x, limit, name, letters, point) {
  const canvas = element("canvas");
  const shape = letters ? `${letters[0]} × ${letters[1]} = ${x.rows} × ${x.columns}` : "";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${name} ${shape}`);
  paint(canvas, x, limit);
  const line = element("div", { className: "line", hidden: true });
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const at = (offset, length, n) => Math.min(n - 1, Math.max(0, Math.floor((offset / length) * n)));
    return [at(event.clientY - box.top, box.height, x.rows), at(event.clientX - box.left, box.width, x.columns)];
  };
  canvas.addEventListener("pointermove", (event) => point(...place(event)));
  canvas.addEventListener("pointerleave", () => point());
  const table = element(
    "figure",
    {},
    element("div", { className: "table" }, canvas, line),
    element("figcaption", {}, element("b", { textContent: name }), ` ${shape}`),
  );
  table.mark = (row) => {
    line.hidden = row === undefined || row >= x.rows;
    line.style.top = `${(100 * (row ?? 0)) / x.rows}%`;
    line.style.height = `${100 / x.rows}%`;
  };
  table.style.setProperty("--shape", `${x.columns} / ${Math.max(x.rows, x.columns / 12)}`);
  return table;
}
