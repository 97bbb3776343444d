/* The model and the image before it: erased and shuffled patches, the answer, and what matters for it. */
import { MlpMixer, patches } from "./mixer.js";
import { blend, enlarge, normalize } from "./pixels.js";
import { readWeights } from "./read.js";
import { ranking, reorderRows, reorderTokens, shuffled, softmax } from "./tokens.js";

export class Player {
  constructor(contents) {
    this.contents = contents;
    const { config, side } = contents;
    Object.assign(this, { side, channels: config.in_channels, patch: config.patch_size });
    [this.height, this.width] = [config.height ?? config.image_size, config.width ?? config.image_size];
    this.grid = [this.height / this.patch, this.width / this.patch];
    this.weights = readWeights(contents);
    this.model = new MlpMixer(config, this.weights);
    this.erased = new Set(); // patches, by their places in the image
    this.order = null; // place s shows patch order[s]
  }

  /* The pixels that the model takes, from those of the data's size. */
  fit(pixels) {
    return this.height === this.width ? enlarge(pixels, this.side, this.channels, this.width) : pixels;
  }

  /* The rows of patches for the model: normalized, in their order, erased ones zero, which is the mean of the data. */
  rows(pixels, erased = this.erased) {
    const { mean, std } = this.contents;
    const x = patches(normalize(this.fit(pixels), mean, std), this.height, this.width, this.channels, this.patch);
    for (const s of erased) x.data.fill(0, s * x.columns, (s + 1) * x.columns);
    return this.order ? reorderRows(x, this.order) : x;
  }

  /* All results by name, each a list, and the logits. */
  forward(pixels) {
    const results = {};
    const logits = this.current.forward(this.rows(pixels), (name, x) => {
      results[name] = results[name] ?? [];
      results[name].push(x);
      return x;
    });
    return { results, logits, probabilities: softmax(logits) };
  }

  get current() {
    return this.moved?.model ?? this.model;
  }

  get currentWeights() {
    return this.moved?.weights ?? this.weights;
  }

  probabilities(pixels, erased) {
    return softmax(this.current.forward(this.rows(pixels, erased)));
  }

  shuffle(on) {
    this.order = on ? shuffled(this.grid[0] * this.grid[1]) : null;
    this.moved = null;
  }

  /* Give the model the tokens in the order of the patches, so that nothing is lost. */
  shuffleWeights(on) {
    const weights = on && reorderTokens(this.weights, this.order);
    this.moved = on ? { weights, model: new MlpMixer(this.contents.config, weights) } : null;
  }

  /* The pixels as the model sees them: its patches in their places, erased ones in the mean color of the data. */
  seen(pixels) {
    const x = patches(this.fit(pixels), this.height, this.width, this.channels, this.patch);
    const average = (_, i) => 255 * this.contents.mean[i % this.channels];
    for (const s of this.erased) x.data.set(Float32Array.from({ length: x.columns }, average), s * x.columns);
    const shown = new Uint8Array(x.data.length);
    const wide = this.patch * this.channels;
    for (let s = 0; s < x.rows; s++) {
      const from = (this.order?.[s] ?? s) * x.columns;
      for (let row = 0; row < this.patch; row++) {
        const top = Math.floor(s / this.grid[1]) * this.patch + row;
        shown.set(
          x.data.subarray(from + row * wide, from + (row + 1) * wide),
          top * this.width * this.channels + (s % this.grid[1]) * wide,
        );
      }
    }
    return shown;
  }

  /* How much of the best class's probability goes when one patch is erased; yields after each patch. */
  *importance(pixels) {
    const whole = this.probabilities(pixels);
    const best = ranking(whole)[0];
    const found = new Float32Array(this.grid[0] * this.grid[1]);
    for (let s = 0; s < found.length; s++) {
      const place = this.order?.[s] ?? s;
      found[s] = whole[best] - this.probabilities(pixels, new Set([...this.erased, place]))[best];
      yield found;
    }
  }

  /* The mixture of two images at which the answer tips over; null if it is the same for both. */
  between(first, second) {
    const says = (pixels) => ranking(this.probabilities(pixels))[0];
    const answer = says(first);
    if (answer === says(second)) return null;
    let [low, high] = [0, 1];
    for (let round = 0; round < 7; round++) {
      const middle = (low + high) / 2;
      if (says(blend(first, second, middle)) === answer) low = middle;
      else high = middle;
    }
    return blend(first, second, low);
  }
}
