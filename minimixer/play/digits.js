/*
 * Makes digits from strokes or photos as the training data were made, so that the model sees what it knows.
 *
 * "scan", the bundled digits: a bitmap of 32 x 32 dots, the digit stretched to 20 x 32, its pen made thick or thin until
 * a third of the dots are black (312 in the mean of the data; a few more are recognized better); a pixel counts the
 * dots of 4 x 4.  "centered", as MNIST: fitted into 20 of 28 pixels, its shape kept, its center of mass in the middle.
 */

const [DOTS, WIDE, TALL, INK, CELL] = [32, 20, 32, 340, 4];
const STRETCH = 1.7; // at most: a 1 stays slim
const [THIN, THICK] = [1.2, 3.8]; // radius of the pen, in dots

function bounds(points) {
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])];
  const [left, top] = [xs.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.min(a, b))];
  return {
    left,
    top,
    width: xs.reduce((a, b) => Math.max(a, b)) - left,
    height: ys.reduce((a, b) => Math.max(a, b)) - top,
  };
}

/* The strokes, moved and stretched so that they fill a box in the middle of a square. */
function fit(strokes, side, width, height, stretch) {
  const { left, top, width: w, height: h } = bounds(strokes.flat());
  let [sx, sy] = [width / Math.max(w, 1e-6), height / Math.max(h, 1e-6)];
  [sx, sy] = [Math.min(sx, stretch * sy), Math.min(sy, stretch * sx)];
  const [x, y] = [left + w / 2, top + h / 2];
  return strokes.map((stroke) =>
    stroke.map((point) => [side / 2 + (point[0] - x) * sx, side / 2 + (point[1] - y) * sy]),
  );
}

/* How far the middle of each dot is from the nearest stroke. */
function distances(strokes, side) {
  const found = new Float32Array(side * side).fill(Infinity);
  for (const stroke of strokes) {
    stroke.forEach(([bx, by], i) => {
      const [ax, ay] = stroke[Math.max(i - 1, 0)];
      const [dx, dy] = [bx - ax, by - ay];
      const length = dx * dx + dy * dy || 1;
      for (let k = 0; k < found.length; k++) {
        const [x, y] = [(k % side) + 0.5 - ax, Math.floor(k / side) + 0.5 - ay];
        const t = Math.min(1, Math.max(0, (x * dx + y * dy) / length));
        found[k] = Math.min(found[k], Math.hypot(x - t * dx, y - t * dy));
      }
    });
  }
  return found;
}

const count = (dots) => {
  const pixels = new Uint8Array((DOTS / CELL) ** 2);
  dots.forEach((black, k) => {
    pixels[Math.floor(k / DOTS / CELL) * (DOTS / CELL) + Math.floor((k % DOTS) / CELL)] += black;
  });
  return pixels.map((n) => Math.round((n * 255) / CELL ** 2));
};

function scanStrokes(strokes) {
  let [radius, far] = [2.2, null];
  for (let round = 0; round < 3; round++) {
    far = distances(fit(strokes, DOTS, WIDE - 2 * radius, TALL - 2 * radius, STRETCH), DOTS);
    radius = Math.min(THICK, Math.max(THIN, Float32Array.from(far).sort()[INK]));
  }
  return count(Array.from(far, (d) => Number(d < radius)));
}

function centerStrokes(strokes, side, bright) {
  const box = (20 / 28) * side;
  const radius = side / 24;
  const fitted = fit(strokes, side, box - 2 * radius, box - 2 * radius, 1);
  const ink = (moved) => distances(moved, side).map((d) => Math.min(1, Math.max(0, radius + 0.5 - d)));
  const there = ink(fitted);
  const total = there.reduce((a, b) => a + b);
  const x = there.reduce((sum, value, k) => sum + value * ((k % side) + 0.5), 0) / total;
  const y = there.reduce((sum, value, k) => sum + value * (Math.floor(k / side) + 0.5), 0) / total;
  const middle = fitted.map((stroke) => stroke.map((point) => [point[0] + side / 2 - x, point[1] + side / 2 - y]));
  return Uint8Array.from(ink(middle), (value) => Math.round(255 * (bright ? value : 1 - value)));
}

/* Strokes, lists of points [x, y], as an image of side x side pixels. */
export const fromStrokes = (strokes, side, pen) =>
  pen.kind === "scan" ? scanStrokes(strokes) : centerStrokes(strokes, side, pen.bright);

/* The level that separates two groups of values best (Otsu 1979). */
function threshold(values) {
  const histogram = new Float64Array(256);
  for (const value of values) histogram[value]++;
  const total = histogram.reduce((sum, n, level) => sum + n * level, 0);
  let [best, level, below, sum] = [-1, 127, 0, 0];
  for (let i = 0; i < 255; i++) {
    below += histogram[i];
    sum += histogram[i] * i;
    const above = values.length - below;
    if (!below || !above) continue;
    const between = below * above * (sum / below - (total - sum) / above) ** 2;
    if (between > best) [best, level] = [between, i];
  }
  return level;
}

/* The writing on a photo (gray, size x size): points [x, y] in the middle of its dots; paper is what the edge shows. */
export function writing(values, size) {
  const level = threshold(values);
  const edge = values.filter((_, k) => k < size || k >= size * (size - 1) || k % size === 0 || k % size === size - 1);
  const darkPaper = edge.filter((value) => value <= level).length > edge.length / 2;
  const points = [];
  values.forEach((value, k) => {
    if (value > level === darkPaper) points.push([(k % size) + 0.5, Math.floor(k / size) + 0.5]);
  });
  return points;
}

/* A photo of a digit (gray, size x size) as a scan: the darkest dots, after a blur, as many as there should be. */
export function scanPhoto(values, size) {
  const points = writing(values, size);
  if (!points.length) return new Uint8Array((DOTS / CELL) ** 2);
  const ink = new Float32Array(DOTS * DOTS);
  for (const [x, y] of fit([points], DOTS, WIDE - 1, TALL - 1, STRETCH)[0]) ink[Math.floor(y) * DOTS + Math.floor(x)]++;
  const soft = ink.map((_, k) => {
    let sum = 0;
    for (let dy = -2; dy <= 2; dy++) {
      for (let dx = -2; dx <= 2; dx++) {
        const [x, y] = [(k % DOTS) + dx, Math.floor(k / DOTS) + dy];
        if (x >= 0 && x < DOTS && y >= 0 && y < DOTS) sum += ink[y * DOTS + x] * Math.exp(-(dx * dx + dy * dy) / 2);
      }
    }
    return sum;
  });
  const least = Math.max(Float32Array.from(soft).sort()[DOTS * DOTS - INK], 1e-6);
  return count(Array.from(soft, (value) => Number(value >= least)));
}
