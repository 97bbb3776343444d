/* The texts of the page, the colors of the pen, and the images to choose from. */
import { toImageData } from "./pixels.js";
import { element } from "./tables.js";

const COLORS = {
  black: "#111111",
  white: "#ffffff",
  gray: "#8a8d91",
  sky: "#6aa8dc",
  sea: "#1f5480",
  grass: "#4c8a3a",
  brown: "#7a4c28",
  sand: "#d9c29a",
  red: "#c0302a",
  yellow: "#e5b93c",
};

/* size: "height × width" of what the model sees */
export function label(part, { name, parameters, data, pen, class_names: names }, size) {
  const free = pen.kind === "free";
  part.title.textContent = name;
  const trained = data ? `, trained on ${data}` : "";
  part.about.textContent = `An MLP-Mixer with ${parameters.toLocaleString("en")} parameters${trained}`;
  part["draw-title"].textContent = free ? "Draw, or drop a photo" : "Draw a digit";
  part.pad.setAttribute("aria-label", part["draw-title"].textContent);
  part.hint.textContent = free ? "draw here" : "draw here, big";
  part.paper.classList.toggle("dark", pen.bright);
  part["sees-title"].textContent = `It sees ${size} pixels`;
  const classes = names.length === 1 ? "this class" : `these ${names.length} classes`;
  part.limits.textContent = `It knows only ${classes}, and sees any image as ${size}.`;
}

/* Only where images have colors. */
export function fillColors(part, pad, channels) {
  part.colors.hidden = part.fill.hidden = channels !== 3;
  const choose = (color) => {
    pad.color = color;
    [...part.colors.children].forEach((button, i) => {
      button.setAttribute("aria-pressed", String(Object.values(COLORS)[i] === color));
    });
  };
  const buttons = Object.entries(COLORS).map(([name, color]) => {
    const button = element("button", { type: "button", title: name });
    button.setAttribute("aria-label", name);
    button.style.background = color;
    button.addEventListener("click", () => choose(color));
    return button;
  });
  part.colors.replaceChildren(...buttons);
  if (channels === 3) choose(pad.pen.bright ? COLORS.white : COLORS.black);
}

/* show(pixels, news) is called with the image that is chosen. */
export function fillExamples(part, images, { side, config, class_names: names, origin }, show) {
  part["examples-part"].hidden = !images.length;
  part["examples-title"].textContent = `or choose ${origin}`;
  const buttons = images.map(({ pixels, label: truth }, i) => {
    const canvas = element("canvas", { width: side, height: side });
    canvas.getContext("2d").putImageData(toImageData(pixels, side, config.in_channels), 0, 0);
    const name = truth === null ? `image ${i + 1}` : names[truth];
    const button = element("button", { type: "button", title: name }, canvas);
    button.setAttribute("aria-label", truth === null ? name : `image ${i + 1}: ${name}`);
    button.addEventListener("click", () => show(pixels, truth === null ? "" : `It is: ${name}.`));
    return button;
  });
  part.examples.replaceChildren(...buttons);
}
