/* Reads what the page holds: see contents.py. */

export function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/* Numbers of two bytes (IEEE 754 half precision, little endian) as float32. */
export function fromHalves(content) {
  const halves = new DataView(content.buffer);
  return Float32Array.from({ length: content.length / 2 }, (_, i) => {
    const half = halves.getUint16(2 * i, true);
    const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024);
  });
}

/* The arrays { data, shape } by name. */
export function readWeights({ arrays, weights }) {
  const numbers = fromHalves(bytes(weights));
  const found = {};
  let start = 0;
  for (const [name, shape] of arrays) {
    const end = start + shape.reduce((product, n) => product * n, 1);
    found[name] = { data: numbers.subarray(start, end), shape };
    start = end;
  }
  return found;
}

/* The images to choose from, each with its true class if it is known. */
export function readImages({ images, labels, side, config }) {
  const [all, size] = [bytes(images), side * side * config.in_channels];
  return Array.from({ length: all.length / size }, (_, i) => ({
    pixels: all.subarray(i * size, (i + 1) * size),
    label: labels ? labels[i] : null,
  }));
}
