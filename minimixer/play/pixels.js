/* From pixels 0..255 to what the model takes, as training does it: data/enlarge.py, data/batches.py. */

/* Enlarge a square image of n x n pixels by bilinear interpolation in integers. */
export function enlarge(pixels, n, channels, side) {
  if (n === side) return pixels;
  const places = Array.from({ length: side }, (_, i) => {
    const center = ((i + 0.5) * n) / side - 0.5;
    const low = Math.floor(center);
    return [Math.max(low, 0), Math.min(low + 1, n - 1), Math.round((center - low) * 4096)];
  });
  const mix = (a, b, share) => (a * (4096 - share) + b * share + 2048) >> 12;
  const tall = new Uint8Array(side * n * channels);
  const row = n * channels;
  places.forEach(([before, after, share], r) => {
    for (let i = 0; i < row; i++) tall[r * row + i] = mix(pixels[before * row + i], pixels[after * row + i], share);
  });
  const large = new Uint8Array(side * side * channels);
  for (let r = 0; r < side; r++) {
    places.forEach(([before, after, share], column) => {
      for (let c = 0; c < channels; c++) {
        const [a, b] = [tall[r * row + before * channels + c], tall[r * row + after * channels + c]];
        large[(r * side + column) * channels + c] = mix(a, b, share);
      }
    });
  }
  return large;
}

/* (pixel / 255 - mean) / std, for each channel. */
export function normalize(pixels, mean, std) {
  return Float32Array.from(pixels, (pixel, i) => {
    const c = i % mean.length;
    return (pixel / 255 - mean[c]) / std[c];
  });
}

const gray = (r, g, b) => (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;

/* Shrink a square RGBA picture to side x side pixels, each the mean of a square block. */
export function shrink(rgba, size, side, channels) {
  const block = size / side;
  const pixels = new Uint8Array(side * side * channels);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const sum = [0, 0, 0];
      for (let row = y * block; row < (y + 1) * block; row++) {
        for (let column = x * block; column < (x + 1) * block; column++) {
          for (let c = 0; c < 3; c++) sum[c] += rgba[4 * (row * size + column) + c];
        }
      }
      const mean = sum.map((value) => Math.round(value / block ** 2));
      pixels.set(channels === 3 ? mean : [gray(...mean)], (y * side + x) * channels);
    }
  }
  return pixels;
}

/* The pixels as a picture for a canvas. */
export function toImageData(pixels, width, channels) {
  const picture = new ImageData(width, pixels.length / channels / width);
  for (let i = 0; i < pixels.length / channels; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = pixels[i * channels + (channels === 3 ? c : 0)];
    picture.data[4 * i + 3] = 255;
  }
  return picture;
}

/* A picture between two: (1 - share) of the first, share of the second. */
export const blend = (first, second, share) =>
  first.map((value, i) => Math.round(value * (1 - share) + second[i] * share));
