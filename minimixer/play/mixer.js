/*
 * MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601), the forward pass for one image, step by step as nn/mixer.py.
 *
 * S patches (tokens), C channels, P patch size.  A matrix is { rows, columns, data }, its numbers row by row.
 * `see(name, x)` is called with each step's result; the names are those of `minimixer inspect`.
 */

export const matrix = (rows, columns, data = new Float32Array(rows * columns)) => ({ rows, columns, data });

export function swapaxes(x) {
  const y = matrix(x.columns, x.rows);
  for (let r = 0; r < x.rows; r++) {
    for (let c = 0; c < x.columns; c++) y.data[c * x.rows + r] = x.data[r * x.columns + c];
  }
  return y;
}

const mapped = (x, f) => matrix(x.rows, x.columns, x.data.map(f));
const add = (x, y) => mapped(x, (value, i) => value + y.data[i]);
const sum = (row) => row.reduce((total, value) => total + value, 0);

/* The mean of all rows: (S, C) -> (1, C). */
function mean(x) {
  const [columns, y] = [swapaxes(x), matrix(1, x.columns)];
  for (let c = 0; c < x.columns; c++) y.data[c] = sum(columns.data.subarray(c * x.rows, (c + 1) * x.rows)) / x.rows;
  return y;
}

/* The patches in reading order, each flattened as row, column, channel.  image: height x width x channels. */
export function patches(image, height, width, channels, p) {
  const across = width / p;
  const x = matrix((height / p) * across, p * p * channels); // (S, P * P * channels)
  for (let s = 0; s < x.rows; s++) {
    const [top, left] = [Math.floor(s / across) * p, (s % across) * p];
    for (let row = 0; row < p; row++) {
      const start = ((top + row) * width + left) * channels;
      x.data.set(image.subarray(start, start + p * channels), s * x.columns + row * p * channels);
    }
  }
  return x;
}

class Linear {
  constructor(weights, name) {
    const { data, shape } = weights[`${name}.weight`]; // (in, out)
    this.bias = weights[`${name}.bias`].data;
    this.transposed = swapaxes(matrix(shape[0], shape[1], data)).data; // (out, in): a sum runs along the memory
  }

  forward(x) {
    const [n, w, y] = [x.columns, this.transposed, matrix(x.rows, this.bias.length)];
    for (let r = 0; r < x.rows; r++) {
      const row = x.data.subarray(r * n, (r + 1) * n);
      let c = 0;
      // Four sums at once: each number of the row is fetched once for all of them.
      for (; c + 4 <= y.columns; c += 4) {
        const [w0, w1, w2, w3] = [c * n, (c + 1) * n, (c + 2) * n, (c + 3) * n];
        let [a0, a1, a2, a3] = [0, 0, 0, 0];
        for (let i = 0; i < n; i++) {
          const value = row[i];
          a0 += value * w[w0 + i];
          a1 += value * w[w1 + i];
          a2 += value * w[w2 + i];
          a3 += value * w[w3 + i];
        }
        y.data[r * y.columns + c] = a0;
        y.data[r * y.columns + c + 1] = a1;
        y.data[r * y.columns + c + 2] = a2;
        y.data[r * y.columns + c + 3] = a3;
      }
      for (; c < y.columns; c++) {
        for (let i = 0; i < n; i++) y.data[r * y.columns + c] += row[i] * w[c * n + i];
      }
      for (c = 0; c < y.columns; c++) y.data[r * y.columns + c] += this.bias[c];
    }
    return y;
  }
}

class LayerNorm {
  constructor(weights, name) {
    this.weight = weights[`${name}.weight`].data;
    this.bias = weights[`${name}.bias`].data;
  }

  forward(x) {
    const [n, y] = [x.columns, matrix(x.rows, x.columns)];
    for (let start = 0; start < y.data.length; start += n) {
      const row = x.data.subarray(start, start + n);
      const center = sum(row) / n;
      const variance = sum(row.map((value) => (value - center) ** 2)) / n;
      const rstd = 1 / Math.sqrt(variance + 1e-6);
      for (let c = 0; c < n; c++) y.data[start + c] = (row[c] - center) * rstd * this.weight[c] + this.bias[c];
    }
    return y;
  }
}

/* erf by Abramowitz and Stegun, formula 7.1.26: the error is below 1.5e-7. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - tail * Math.exp(-x * x));
}

const GELU = {
  tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  erf: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
};

/* Two Linear layers with a GELU between them. */
class MlpBlock {
  constructor(weights, name, gelu) {
    this.fc1 = new Linear(weights, `${name}.fc1`);
    this.gelu = GELU[gelu];
    this.fc2 = new Linear(weights, `${name}.fc2`);
  }

  forward(x, see) {
    const hidden = see("fc1", this.fc1.forward(x));
    return see("fc2", this.fc2.forward(see("gelu", mapped(hidden, this.gelu))));
  }
}

/* Equation 1 of the paper: mix the patches of each channel, then the channels of each patch. */
class MixerBlock {
  constructor(weights, name, gelu) {
    this.tokenNorm = new LayerNorm(weights, `${name}.token_norm`);
    this.tokenMixing = new MlpBlock(weights, `${name}.token_mixing`, gelu);
    this.channelNorm = new LayerNorm(weights, `${name}.channel_norm`);
    this.channelMixing = new MlpBlock(weights, `${name}.channel_mixing`, gelu);
  }

  forward(x, see) {
    const inside = (part) => (step, y) => see(`${part}.${step}`, y);
    let y = see("swapaxes", swapaxes(see("token_norm", this.tokenNorm.forward(x)))); // (C, S)
    y = see("swapaxes", swapaxes(this.tokenMixing.forward(y, inside("token_mixing")))); // (S, C)
    x = see("add", add(x, y)); // the same MLP for every channel
    y = this.channelMixing.forward(see("channel_norm", this.channelNorm.forward(x)), inside("channel_mixing"));
    return see("add", add(x, y)); // the same MLP for every patch
  }
}

/* The whole Mixer.  weights: the arrays { data, shape } by their names in a checkpoint. */
export class MlpMixer {
  constructor(config, weights) {
    this.config = config;
    this.stem = new Linear(weights, "stem");
    this.blocks = Array.from(
      { length: config.num_blocks },
      (_, i) => new MixerBlock(weights, `blocks.${i}`, config.gelu),
    );
    this.norm = new LayerNorm(weights, "norm");
    this.head = new Linear(weights, "head");
  }

  /* x: the patches of a normalized image, (S, P * P * channels) -> logits, one per class. */
  forward(x, see = (_, y) => y) {
    x = see("stem", this.stem.forward(see("patches", x))); // (S, C)
    this.blocks.forEach((block, i) => {
      x = block.forward(x, (step, y) => see(`blocks.${i}.${step}`, y)); // (S, C)
    });
    x = see("mean", mean(see("norm", this.norm.forward(x)))); // (1, C)  the average patch
    return see("head", this.head.forward(x)).data; // (num_classes)
  }
}
