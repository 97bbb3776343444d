/* The tokens of a model in another order: the patches of an image, and the weights that read them. */
import { matrix } from "./mixer.js";

/* Rows of a matrix in another order: row s of the result is row order[s]. */
export function reorderRows(x, order) {
  const y = matrix(x.rows, x.columns);
  order.forEach((from, s) => {
    y.data.set(x.data.subarray(from * x.columns, (from + 1) * x.columns), s * x.columns);
  });
  return y;
}

function reorderColumns({ data, shape }, order) {
  const [rows, columns] = shape;
  return {
    data: data.map((_, k) => data[Math.floor(k / columns) * columns + order[k % columns]]),
    shape: [rows, columns],
  };
}

/* The weights of a model that expects its patches in another order; only token mixing knows places. */
export function reorderTokens(weights, order) {
  const changed = { ...weights };
  for (const [name, array] of Object.entries(weights)) {
    if (name.endsWith("token_mixing.fc1.weight")) {
      const [rows, columns] = array.shape; // (S, D_S)
      changed[name] = { data: reorderRows(matrix(rows, columns, array.data), order).data, shape: array.shape };
    } else if (name.endsWith("token_mixing.fc2.weight")) {
      changed[name] = reorderColumns(array, order); // (D_S, S)
    } else if (name.endsWith("token_mixing.fc2.bias")) {
      changed[name] = { data: array.data.map((_, s) => array.data[order[s]]), shape: array.shape };
    }
  }
  return changed;
}

/* 0..n-1 in a random order. */
export function shuffled(n) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const k = Math.floor(Math.random() * (i + 1));
    [order[i], order[k]] = [order[k], order[i]];
  }
  return order;
}

export function softmax(logits) {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(logits, (z) => Math.exp(z - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/* The most probable classes, best first. */
export const ranking = (probabilities) =>
  Array.from(probabilities, (_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
