"""All experiments by name."""

import importlib
from typing import Any, NamedTuple


class Experiment(NamedTuple):
    """Module of an experiment, the claim it tests and where that stands, and the minutes that it takes."""

    module: str
    claim: str
    where: str
    minutes: float

    def load(self) -> Any:
        """Import the module."""
        return importlib.import_module(f"minimixer.experiments.{self.module}")


# In the order in which `all` measures them.  The minutes are steps times the shortest of 20 training steps of each
# model on one thread of a busy AMD EPYC (Zen 5), such as 54 ms for a Mixer of size pico, 93 ms for a ViT and 179 ms for
# a ConvNet; divided by 1.86, what a second thread gains, and 4 % for tests.
EXPERIMENTS = {
    "cnn-identity": Experiment("cnn_identity", "a Mixer is a very special CNN", "section 1", 0.1),
    "complexity": Experiment("complexity", "Mixers: linear in the patches; ViTs: quadratic", "section 2", 3),
    "learning-rates": Experiment("rates", "each family of models has its own learning rate", "for the others", 27),
    "patch-size": Experiment("patch_size", "smaller patches cost more and are more accurate", "table 3", 32),
    "data-size": Experiment("data_size", "a Mixer gains more from more data than others", "figure 2, right", 109),
    "permutation": Experiment("permutation", "a Mixer is indifferent to shuffled patches", "figure 4", 65),
    "token-weights": Experiment("token_weights", "token mixing learns units of opposite phase", "figures 5 and 6", 5),
    "embedding-filters": Experiment("embedding_filters", "larger patches learn filters of lower frequency", "figure 7",
                                    7),
    "ablation": Experiment("ablation", "a Mixer needs no position embedding", "section 2", 52),
    "pareto": Experiment("pareto", "a Mixer is competitive at equal cost", "figure 1, table 2", 80),
    "optimizers": Experiment("optimizers", "(ours) Muon learns faster than AdamW", "no figure", 36),
    "robustness": Experiment("robustness", "(ours) what corrupted images do to a Mixer", "no figure", 25),
}
