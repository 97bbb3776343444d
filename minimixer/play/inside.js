/* A walk through the model: the table of tokens x channels before and after each half of each block. */
import { Flight } from "./flight.js";
import { matrix } from "./mixer.js";
import { element, figure, paint, strongest } from "./tables.js";

const MOST_UNITS = 128;

/* The steps of a model: what each is called, says, and shows of the results of a forward pass. */
export function stepsOf(blocks) {
  const halves = Array.from({ length: blocks }, (_, i) => {
    const at = (results, name, k = 0) => results[`blocks.${i}.${name}`][k];
    const before = (results) => (i ? results[`blocks.${i - 1}.add`][1] : results.stem[0]);
    return [
      {
        name: `Block ${i + 1} of ${blocks}: token mixing`,
        text: "Columns talk across patches: transpose, one MLP for every channel, transpose back, add.",
        kind: "token",
        block: i,
        tables: (results) => [before(results), at(results, "swapaxes", 1), at(results, "add")],
      },
      {
        name: `Block ${i + 1} of ${blocks}: channel mixing`,
        text: "Rows talk across channels: one MLP for every patch, add.",
        kind: "channel",
        block: i,
        tables: (results) => [at(results, "add"), at(results, "channel_mixing.fc2"), at(results, "add", 1)],
      },
    ];
  });
  return [
    { name: "Patches", text: "Each patch becomes a row.", kind: "cut" },
    {
      name: "Stem",
      text: "One linear layer: each row of pixels becomes C channels.",
      kind: "stem",
      tables: (results) => [results.patches[0], results.stem[0]],
    },
    ...halves.flat(),
    {
      name: "Mean",
      text: "Normalize, then average all rows.",
      kind: "mean",
      tables: (results) => [results.norm[0], results.mean[0]],
    },
    {
      name: "Head",
      text: "One linear layer: a number per class, the larger the likelier.",
      kind: "head",
      tables: (results) => [results.mean[0], results.head[0]],
    },
  ];
}

const SHORT = { cut: "patches", stem: "stem", token: "tokens", channel: "channels", mean: "mean", head: "head" };
const NAMES = {
  cut: [],
  stem: ["pixels", "tokens"],
  token: ["before", "mixed", "after"],
  channel: ["before", "mixed", "after"],
  mean: ["tokens", "mean"],
  head: ["mean", "logits"],
};
const SIGNS = { stem: ["→"], token: ["+", "="], channel: ["+", "="], mean: ["→"], head: ["→"] };
const LETTERS = { pixels: ["S", "P·P·c"], mean: ["1", "C"], logits: ["1", "K"] };

export class Inside {
  /* parts: elements by id; point(s): a patch is pointed at; weights(): those in use; grid: [rows, columns] of patches */
  constructor(parts, blocks, { point, weights, grid, names }) {
    Object.assign(this, { parts, point, weights, grid, names, steps: stepsOf(blocks), at: 0, chosen: 0, tables: [] });
    parts.step.max = this.steps.length - 1;
    parts.step.addEventListener("input", () => this.go(Number(parts.step.value)));
    parts.back.addEventListener("click", () => this.go(this.at - 1));
    parts.next.addEventListener("click", () => this.go(this.at + 1));
    parts.run.addEventListener("click", () => this.run(!this.timer));
    parts.stations.replaceChildren(
      ...this.steps.map((step, i) => {
        const station = element("li", { className: step.kind, title: step.name, textContent: SHORT[step.kind] });
        station.addEventListener("click", () => this.go(i));
        return station;
      }),
    );
    parts.units.addEventListener("keydown", (event) => this.walkUnits(event));
  }

  run(on) {
    clearInterval(this.timer);
    this.timer = on
      ? setInterval(() => (this.at < this.steps.length - 1 ? this.go(this.at + 1) : this.run(false)), 900)
      : null;
    if (on && this.at === this.steps.length - 1) this.go(0);
    this.parts.run.setAttribute("aria-pressed", String(on));
    this.parts.run.textContent = on ? "Pause" : "Run";
  }

  go(to) {
    this.at = Math.min(this.steps.length - 1, Math.max(0, to));
    this.show(this.results, this.image, true);
  }

  /* results: those of a forward pass by name; image: { pixels, width, height, channels, patch } as the model saw it */
  show(results, image, moved = false) {
    const [step, parts] = [this.steps[this.at], this.parts];
    Object.assign(this, { results, image });
    parts.step.value = this.at;
    parts.step.setAttribute("aria-valuetext", step.name);
    [...parts.stations.children].forEach((station, i) => {
      station.classList.toggle("here", i === this.at);
    });
    parts["step-name"].textContent = step.name;
    parts["step-text"].textContent = step.text;
    parts["units-part"].hidden = step.kind !== "token";
    if (step.kind === "cut") this.showFlight(moved);
    else this.showTables(step);
    if (step.kind === "token") this.showUnits(step.block);
  }

  showFlight(moved) {
    const flight = new Flight(this.image);
    this.tables = [];
    this.parts.stage.replaceChildren(flight.figure);
    if (moved) flight.fly();
    else flight.draw(1);
  }

  showTables(step) {
    const found = step.tables(this.results);
    const same = step.kind === "token" || step.kind === "channel" ? strongest(found[0], found[2]) : null;
    this.tables = found.map((x, i) => {
      const name = NAMES[step.kind][i];
      return figure(x, same ?? strongest(x), name, LETTERS[name] ?? ["S", "C"], (row, column) =>
        this.read(x, name, row, column),
      );
    });
    const signs = SIGNS[step.kind].map((sign) =>
      element("span", { className: "sign", textContent: sign, ariaHidden: "true" }),
    );
    this.parts.stage.replaceChildren(...this.tables.flatMap((table, i) => (i ? [signs[i - 1], table] : [table])));
  }

  read(x, name, row, column) {
    const step = this.steps[this.at];
    this.point(x.rows > 1 ? row : undefined);
    if (row === undefined) this.parts["step-text"].textContent = step.text;
    else {
      const place =
        name === "logits"
          ? this.names[column]
          : `${x.rows > 1 ? `patch ${row + 1}, ` : ""}${name === "pixels" ? "number" : "channel"} ${column + 1}`;
      this.parts["step-text"].textContent = `${name}: ${place}: ${x.data[row * x.columns + column].toFixed(3)}`;
    }
  }

  mark(s) {
    for (const table of this.tables) table.mark(s);
  }

  /* Small maps over the patches: which of them each hidden unit of the token mixing reads. */
  showUnits(block) {
    const weights = this.weights();
    if (this.drawn?.block === block && this.drawn.weights === weights) return;
    this.drawn = { block, weights };
    const { data, shape } = weights[`blocks.${block}.token_mixing.fc1.weight`]; // (S, D_S)
    const shown = Math.min(shape[1], MOST_UNITS);
    const maps = Array.from({ length: shown }, (_, j) => this.map((s) => data[s * shape[1] + j]));
    const limit = strongest(...maps);
    this.parts["units-title"].textContent = `What its ${shape[1]} hidden units look at`;
    this.parts.units.replaceChildren(
      ...maps.map((map, j) => {
        const unit = element("canvas", { id: `unit-${j}` });
        unit.setAttribute("role", "option");
        unit.setAttribute("aria-label", `unit ${j + 1}`);
        paint(unit, map, limit);
        for (const name of ["pointerenter", "click"]) unit.addEventListener(name, () => this.choose(j));
        return unit;
      }),
    );
    this.choose(Math.min(this.chosen, shown - 1));
  }

  map(value) {
    const [rows, columns] = this.grid;
    return matrix(
      rows,
      columns,
      Float32Array.from({ length: rows * columns }, (_, s) => value(s)),
    );
  }

  choose(j) {
    const { block, weights } = this.drawn;
    const [reads, writes] = ["fc1", "fc2"].map((part) => weights[`blocks.${block}.token_mixing.${part}.weight`]);
    const [s, units] = reads.shape;
    this.chosen = j;
    this.parts.units.setAttribute("aria-activedescendant", `unit-${j}`);
    [...this.parts.units.children].forEach((unit, k) => {
      unit.setAttribute("aria-selected", String(k === j));
    });
    const maps = [this.map((k) => reads.data[k * units + j]), this.map((k) => writes.data[j * s + k])];
    this.parts.unit.replaceChildren(
      ...maps.map((map, i) => {
        const name = `unit ${j + 1} ${i ? "writes" : "reads"}`;
        return figure(map, strongest(map), name, null, (row, column) =>
          this.point(row === undefined ? undefined : row * map.columns + column),
        );
      }),
    );
  }

  walkUnits(event) {
    const across = getComputedStyle(this.parts.units).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (!step || !this.parts.units.children[this.chosen + step]) return;
    event.preventDefault();
    this.choose(this.chosen + step);
    this.parts.units.children[this.chosen].scrollIntoView({ block: "nearest" });
  }
}
