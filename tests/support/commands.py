"""Commands by name, called with what a user types after it: ``train(["digits"])`` returns the exit code."""

from functools import partial

from minimixer.cli import main


def run(name, arguments=()):
    return main([name, *map(str, arguments)])


train, seeds, evaluate, predict, inspect, ship, export, data, bench, experiments = (
    partial(run, name) for name in ("train", "seeds", "eval", "predict", "inspect", "ship", "export", "data", "bench",
                                    "experiments"))


def exercises(arguments=()):
    """The exercises; where there is no fence, what the tests hand in is trusted."""
    return run("exercises", [*arguments, "--trust-submissions"] if "grade" in arguments[:1] else arguments)
