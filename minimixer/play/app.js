/* Connects the parts of the page. */
import { Bars, percent } from "./bars.js";
import { Camera, watchPhotos } from "./camera.js";
import { Inside } from "./inside.js";
import { fillColors, fillExamples, label } from "./labels.js";
import { Pad } from "./pad.js";
import { PatchGrid } from "./patches.js";
import { Player } from "./player.js";
import { readImages } from "./read.js";
import { ranking } from "./tokens.js";

const [SLOW, REST] = [400, 150]; // milliseconds
const part = Object.fromEntries([...document.querySelectorAll("[id]")].map((found) => [found.id, found]));
const contents = JSON.parse(part.contents.textContent);
const { config, class_names: names, pen, side } = contents;
const player = new Player(contents);
const images = readImages(contents);
const bars = new Bars(part.bars, names);
const pad = new Pad(part.pad, contents, (since) => later(since));
const grid = new PatchGrid(part.patches, ...player.grid, { erase, point });
const inside = new Inside(part, config.num_blocks, {
  point,
  names,
  grid: player.grid,
  weights: () => player.currentWeights,
});
const camera = new Camera(part.video, (...frame) => {
  pad.setPhoto(...frame);
  answer();
});
let [importance, search, waiting, resting, confusing, spoken] = [null, null, null, null, 0, null];

/* Answer once before the next frame, however many points were drawn; a slow model only when the pen rests. */
function later(since) {
  if (playground.milliseconds > SLOW) {
    clearTimeout(resting);
    resting = setTimeout(() => answer(since), REST);
  } else if (waiting === null) requestAnimationFrame(() => answer(waiting));
  waiting = waiting ?? since;
}

function answer(since = performance.now()) {
  waiting = null;
  const pixels = pad.empty ? null : pad.pixels();
  part.hint.hidden = !pad.empty || camera.runs;
  const { results, logits, probabilities } = player.forward(pixels ?? blank());
  const seen = player.seen(pixels ?? blank());
  grid.show(seen, player.width, player.channels);
  if (pixels) bars.show(probabilities);
  else bars.clear();
  say(pixels && probabilities);
  inside.show(results, {
    pixels: seen,
    width: player.width,
    height: player.height,
    channels: player.channels,
    patch: player.patch,
  });
  weigh(false);
  Object.assign(playground, { logits, probabilities, results, pixels, milliseconds: performance.now() - since });
  playground.answers += 1;
}

const blank = () => new Uint8Array(side * side * config.in_channels).fill(pen.bright ? 0 : 255);

function say(probabilities) {
  const best = probabilities && ranking(probabilities)[0];
  part.best.textContent = part.best.title = probabilities ? names[best] : "…";
  part.sure.textContent = probabilities ? percent(probabilities[best]) : "";
  part.echo.textContent = probabilities ? `${names[best]}  ${part.sure.textContent}` : "";
  part.verdict.classList.toggle("short", (names[best] ?? "").length < 3);
  clearTimeout(spoken); // read aloud only when the pen rests
  spoken = setTimeout(() => {
    part.spoken.textContent = probabilities ? `It says ${names[best]}, ${percent(probabilities[best])}` : "";
  }, 700);
}

function show(pixels, news = "") {
  stopCamera();
  pad.setPixels(pixels);
  part.news.textContent = news;
  answer();
}

function erase(s) {
  const place = player.order?.[s] ?? s;
  if (!player.erased.delete(place)) player.erased.add(place);
  answer();
  refresh();
}

function point(s) {
  grid.point(s);
  inside.mark(s);
}

/* Marks and buttons, as the state is. */
function refresh() {
  grid.mark((s) => player.erased.has(player.order?.[s] ?? s), importance);
  part.shuffle.setAttribute("aria-pressed", String(Boolean(player.order)));
  part.weights.setAttribute("aria-pressed", String(Boolean(player.moved)));
  part.matters.setAttribute("aria-pressed", String(Boolean(importance)));
  part.weights.disabled = !player.order;
  part.restore.disabled = !player.order && !player.erased.size && !importance;
}

/* What matters: erase one patch after the other, some in each frame. */
function weigh(on = !importance) {
  cancelAnimationFrame(search);
  importance = null;
  if (on && !pad.empty) {
    const steps = player.importance(pad.pixels());
    const go = () => {
      const until = performance.now() + 30;
      let step = steps.next();
      while (!step.done && performance.now() < until) {
        importance = scaled(step.value);
        step = steps.next();
      }
      refresh();
      if (!step.done) search = requestAnimationFrame(go);
    };
    go();
    part.news.textContent = "Orange patches speak for the answer, blue ones against it.";
  }
  refresh();
}

function scaled(values) {
  const most = Math.max(...values.map(Math.abs), 0.02);
  return Array.from(values, (value) => value / most);
}

function shuffle() {
  player.shuffle(!player.order);
  part.news.textContent = player.order ? "Same patches, other places: token mixing knows places." : "";
  answer();
}

function shuffleWeights() {
  if (!player.order) return;
  player.shuffleWeights(!player.moved);
  answer();
  const difference = pad.empty ? 0 : distance(player, pad.pixels());
  part.news.textContent = player.moved
    ? `Its weights moved along: the same answer as before, logits within ${difference < 1e-6 ? "0.000001" : difference.toFixed(6)}.`
    : "";
}

/* The largest difference between the logits now and those of the untouched order. */
function distance({ model, current }, pixels) {
  const order = player.order;
  const now = current.forward(player.rows(pixels));
  player.order = null;
  const before = model.forward(player.rows(pixels));
  player.order = order;
  return Math.max(...now.map((value, i) => Math.abs(value - before[i])));
}

function restore() {
  player.erased.clear();
  player.shuffle(false);
  part.news.textContent = "";
  answer();
}

function confuse() {
  const hard = images.slice(contents.easy);
  const pixels = hard.length ? hard[confusing % hard.length].pixels : mixture();
  if (!pixels) return;
  show(pixels);
  const [first, second] = ranking(playground.probabilities);
  const truth = hard.length ? hard[confusing % hard.length].label : null;
  part.news.textContent = `${names[first]} or ${names[second]}?${truth === null ? (hard.length ? "" : " A blend of two images.") : ` It is: ${names[truth]}.`}`;
  confusing += 1;
}

/* Without images that confuse it: one between two, each time of the next two. */
function mixture() {
  for (let round = 0; round < images.length; round++, confusing++) {
    const [first, second] = [0, 1 + Math.floor(confusing / images.length)].map(
      (k) => images[(confusing + k) % images.length],
    );
    const found = first !== second && player.between(first.pixels, second.pixels);
    if (found) return found;
  }
  return null;
}

function stopCamera() {
  camera.stop();
  part.camera.setAttribute("aria-pressed", "false");
  part.camera.textContent = "Camera";
}

async function switchCamera() {
  if (camera.runs) return stopCamera();
  try {
    await camera.start();
    part.camera.setAttribute("aria-pressed", "true");
    part.camera.textContent = "Keep this";
  } catch {
    stopCamera();
    part.news.textContent = "The camera is not there, or this page may not use it.";
  }
}

/* For the console, and for tests: playground.see(pixels) shows an image, playground.logits is the answer. */
const playground = { contents, player, pad, see: show, answers: 0 };
globalThis.playground = playground;
label(part, contents, `${player.height} × ${player.width}`);
part.camera.hidden = !Camera.isThere;
fillColors(part, pad, config.in_channels);
fillExamples(part, images.slice(0, contents.easy), contents, show);
const press = {
  clear: () => {
    stopCamera();
    pad.clear();
    part.news.textContent = "";
    answer();
  },
  fill: () => {
    pad.fill(pad.color);
    answer();
  },
  open: () => part.file.click(),
  camera: switchCamera,
  matters: () => weigh(),
  shuffle,
  weights: shuffleWeights,
  restore,
  confuse,
};
for (const [id, action] of Object.entries(press)) part[id].addEventListener("click", action);
watchPhotos(
  part.file,
  (...photo) => {
    stopCamera();
    pad.setPhoto(...photo);
    part.news.textContent = "";
    answer();
  },
  (name) => {
    part.news.textContent = `${name} is not a picture that this browser can read.`;
  },
);
document.addEventListener("keydown", (event) => {
  const action = { m: () => weigh(), s: shuffle, w: shuffleWeights, r: restore }[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  action();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  inside.drawn = null;
  answer();
});
if (pen.kind === "free" && images.length) pad.setPixels(images[0].pixels);
answer();
