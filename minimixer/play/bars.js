/* The answer: a bar for each class, or for the ten most probable. */
import { element } from "./tables.js";
import { ranking } from "./tokens.js";

const MOST = 12; // classes that are all shown, in their order
export const percent = (p) => `${p > 0 && p < 0.005 ? "< 1" : Math.round(100 * p)} %`;

export class Bars {
  constructor(list, names) {
    this.names = names;
    this.rows = Array.from({ length: names.length > MOST ? 10 : names.length }, () => {
      const row = {
        name: element("bdi", { className: "name" }),
        bar: element("i"),
        share: element("span", { className: "share" }),
      };
      row.item = element(
        "li",
        {},
        row.name,
        element("span", { className: "track", ariaHidden: "true" }, row.bar),
        row.share,
      );
      return row;
    });
    list.replaceChildren(...this.rows.map((row) => row.item));
  }

  show(probabilities) {
    const order = ranking(probabilities);
    const shown = this.names.length > MOST ? order : this.names.map((_, i) => i);
    this.rows.forEach((row, i) => {
      const p = probabilities[shown[i]];
      row.name.textContent = row.name.title = this.names[shown[i]];
      row.bar.style.transform = `scaleX(${p})`;
      row.share.textContent = percent(p);
      row.item.classList.toggle("best", shown[i] === order[0]);
    });
  }

  /* Before there is anything to answer to. */
  clear() {
    this.rows.forEach((row, i) => {
      row.name.textContent = row.name.title = this.names[i];
      row.bar.style.transform = "scaleX(0)";
      row.share.textContent = "";
      row.item.classList.remove("best");
    });
  }
}
