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


# In the order in which `all` measures them.  The minutes are those of `--estimate` with five seeds on two idle cores of
# an AMD EPYC (Zen 5); the two that train nothing were timed.
EXPERIMENTS = {
    "cnn-identity": Experiment("cnn_identity", "a Mixer is a very special CNN", "section 1", 0.1),
    "complexity": Experiment("complexity", "Mixers: linear in the patches; ViTs: quadratic", "section 2", 2),
    "learning-rates": Experiment("rates", "each family of models has its own learning rate", "for the others", 19),
    "patch-size": Experiment("patch_size", "smaller patches cost more and are more accurate", "table 3", 44),
    "data-size": Experiment("data_size", "a Mixer gains more from more data than others", "figure 2, right", 79),
    "permutation": Experiment("permutation", "a Mixer is indifferent to shuffled patches", "figure 4", 47),
    "token-weights": Experiment("token_weights", "token mixing learns units of opposite phase", "figures 5 and 6", 5),
    "embedding-filters": Experiment("embedding_filters", "larger patches learn filters of lower frequency", "figure 7",
                                    8),
    "ablation": Experiment("ablation", "a Mixer needs no position embedding", "section 2", 43),
    "pareto": Experiment("pareto", "a Mixer is competitive at equal cost", "figure 1, table 2", 98),
    "optimizers": Experiment("optimizers", "(ours) Muon learns faster than AdamW", "no figure", 30),
    "robustness": Experiment("robustness", "(ours) what corrupted images do to a Mixer", "no figure", 16),
}
