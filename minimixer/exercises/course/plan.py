"""The weeks of a course, and what each exercise asks of a student."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Week:
    """What is read, written and handed in."""

    title: str
    lessons: tuple[str, ...]
    exercises: tuple[str, ...]
    aim: str


@dataclass(frozen=True)
class Effort:
    """An estimate for somebody who has read the lesson: minutes, and how hard it is, from 1 to 5."""

    minutes: int
    difficulty: int


WEEKS = (
    Week("Arrays and shapes", ("00", "01"), ("ex01",),
         "Train a first model, then say for any two shapes whether and how they broadcast, and undo it."),
    Week("Gradients", ("02", "03"), ("ex02", "ex03"),
         "Write the walk back through a graph, and the tool that checks every gradient of the weeks to come."),
    Week("Layers", ("04", "05", "06"), ("ex04", "ex05", "ex06"),
         "Derive on paper and write the backward passes of a linear layer, GELU and LayerNorm."),
    Week("The Mixer", ("07", "08", "09"), ("ex07", "ex08", "ex09"),
         "Cut images into patches, mix tokens and channels, and put a whole block together."),
    Week("Training", ("10", "11", "12"), ("ex10", "ex11", "ex12"),
         "Write the loss, the optimizer and the schedule, and train the model from week four with them."),
    Week("A model of your own", ("13", "18", "20", "21"), (),
         "Train on images of your own, find what the model gets wrong, and show it to the others."),
)

EFFORT = {
    "ex01": Effort(30, 2), "ex02": Effort(45, 3), "ex03": Effort(25, 1), "ex04": Effort(30, 2), "ex05": Effort(35, 2),
    "ex06": Effort(75, 5), "ex07": Effort(40, 3), "ex08": Effort(40, 3), "ex09": Effort(50, 4), "ex10": Effort(45, 3),
    "ex11": Effort(30, 2), "ex12": Effort(20, 1),
}
