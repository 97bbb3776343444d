"""The model card (Mitchell et al. 2019, arXiv 1810.03993) of a model that comes with the package."""

from typing import Any

from minimixer.text import markdown
from minimixer.train.estimate import duration

CARD = """# {name}

{parameters:,} parameters, {origin} on {data}: **{accuracy:.2%}** of {images:,} test images.

This card was written by `minimixer ship` from `{name}.json`, which holds all its numbers.

## What it is

An MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601) without convolutions, attention, distillation or extra data:
images of {image_size} x {image_size} pixels, patches of {patch_size} x {patch_size}, C = {hidden_dim} channels, \
D_S = {tokens_mlp_dim}, D_C = {channels_mlp_dim}, {num_blocks} blocks, {num_classes} classes. The weights are stored \
as float16 in {bytes:,} bytes; the model computes in float32.

```console
$ minimixer predict photo.png
$ minimixer eval {name}
$ minimixer train finetune --init-from {name}
```

## Data

{data}: {training_images:,} training images, {images:,} test images. License: {data_license}.

## Training

```console
$ {command}
```

{steps:,} steps in {epochs:g} epochs with seed {seed}: {time} with {workers} threads on a {device} (minimixer \
{minimixer}, NumPy {numpy}). The presets may change; this run used: {settings}.

## Results

| | |
| --- | ---: |
| accuracy of these float16 weights | {accuracy:.2%} ({correct:,} of {images:,}) |
| loss | {loss:.4f} nats |
| accuracy at the end of the run | {last_accuracy:.2%} |

These are the weights of step {step:,}, {chosen}

| class | images | correct | accuracy | most often taken for |
| --- | ---: | ---: | ---: | --- |
{classes}

## Confusion

Rows are the true classes, columns the predicted ones.

{matrix}

## Intended use

For lessons, for trying out the commands, and as a starting point for fine-tuning. It answers with one of its
{num_classes} classes whatever it is shown, and its probabilities are not calibrated. {seen}

## License

The weights: MIT, like the rest of minimixer. The data belong to others (see above) and are not in the package.
"""


CHOSEN = {
    "test": "the best of {tests} tests on the test images. So the first number was\nselected, and is a little too "
            "high; the last one was not.",
    "validation": "the best of {tests} tests on validation images, and the last number is of\nthose. The test images "
                  "of the first number chose nothing.",
}
SEEN = {
    True: """It has seen only small photographs
of one subject, collected from the web in the 2000s: do not use it where a wrong answer does harm.""",
    False: """It has seen only the images
described above: do not use it where a wrong answer does harm.""",
}


def card(facts: dict[str, Any]) -> str:
    """The text of the card, from what ``ship`` measured."""
    environment = facts["environment"]
    source = facts["recipe"]["init_from"]
    device = "CPU" if environment["device"] == "cpu" else "GPU"
    names = [markdown(row["class"], 40) for row in facts["classes"]]
    matrix = [["", *names], ["---", *["---:"] * len(names)], *(
        [name, *map(str, row)] for name, row in zip(names, facts["confusion"], strict=True))]
    return CARD.format(
        **{key: value for key, value in facts.items() if key not in ("model", "classes", "known", "chosen_on")},
        **facts["model"],
        **environment | {"device": device}, seed=facts["recipe"]["seed"], time=duration(facts["seconds"]),
        settings=", ".join(f"{name} {value}" for name, value in facts["recipe"].items() if value),
        chosen=CHOSEN[facts.get("chosen_on", "test")].format(**facts), seen=SEEN[facts.get("known", True)],
        origin=f"fine-tuned from {source}" if source else "trained from scratch",
        classes="\n".join(map(_of_class, facts["classes"])), matrix="\n".join(map(_line, matrix)))


def _of_class(row: dict[str, Any]) -> str:
    share = f"{row['accuracy']:.1%}" if row["images"] else ""
    taken = f"{markdown(row['most_often_taken_for'], 40)} ({row['times']})" if row["times"] else ""
    return _line([markdown(row["class"], 40), f"{row['images']:,}", f"{row['correct']:,}", share, taken])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
