"""The contenders of ``bench learn``: one Mixer, one recipe, trained by minimixer and by PyTorch on the same batches.

All start from the same weights and see the same augmented images in the same order; each computes in its own process.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from minimixer.data import Batches, Dataset, Prefetch, load, normalize
from minimixer.optim.muon.reference import hidden_matrices
from minimixer.optim.schedule import Schedule
from minimixer.parallel.host import keep_freed_memory
from minimixer.parallel.step import score
from minimixer.parallel.workers import Workers
from minimixer.train.config import TrainConfig
from minimixer.train.initialize import build_model, build_schedule, initialize
from minimixer.train.loop import train_step

TESTED_AT_ONCE = 500        # images


class Learner:
    """One run.  The time of a test is not counted.

    Parameters
    ----------
    config : TrainConfig
    threads : int
    """

    def __init__(self, config: TrainConfig, threads: int):
        self.config, self.threads, self.done = config, threads, 0
        self.start(load(config.data, data_dir=config.data_dir))

    def start(self, dataset: Dataset) -> None:
        """Tune the process, build model, optimizer and batches."""
        raise NotImplementedError

    def step(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Make one training step."""
        raise NotImplementedError

    def test(self) -> float:
        """Accuracy on the test images, 0..1."""
        raise NotImplementedError

    def plan(self) -> tuple[int, int]:
        """Steps per epoch, and steps of the run."""
        return len(self.batches.batches), self.schedule.total_steps

    def learn(self, steps: int) -> float:
        """Make the next steps; returns their seconds."""
        start = time.perf_counter()
        for _ in range(steps):
            self.step(*self.batches[self.done])
            self.done += 1
        return time.perf_counter() - start

    batches: Prefetch
    schedule: Schedule


class Ours(Learner):
    """minimixer, by the step of its trainer."""

    def start(self, dataset: Dataset) -> None:
        keep_freed_memory()
        self.run = initialize(self.config, Workers(self.threads).__enter__(), out=Path(), dataset=dataset)
        self.batches, self.schedule = Prefetch(self.run.batches), self.run.schedule

    def step(self, images: np.ndarray, labels: np.ndarray) -> None:
        train_step(self.run, images, labels)

    def test(self) -> float:
        logits = self.run.sharded.predict(self.run.dataset.test_images)
        return score(logits, self.run.dataset.test_labels)[1]


class Theirs(Learner):
    """Eager PyTorch, as its users install and write it: fused AdamW, its own Muon for the same matrices as ours."""

    def start(self, dataset: Dataset) -> None:
        import torch

        from minimixer.bench.torch_mixer import Mixer
        torch.set_num_threads(self.threads)
        self.torch, self.dataset = torch, dataset
        twin: Any = build_model(self.config, dataset)
        self.mean, self.std = dataset.channel_statistics()
        self.model = Mixer(twin).to(memory_format=torch.channels_last)
        self.batches = Prefetch(Batches(dataset, self.config.batch_size, self.config.seed, self.config.augmentation()))
        self.schedule = build_schedule(self.config, len(self.batches.batches))
        params = dict(self.model.named_parameters())
        chosen: list[Any] = hidden_matrices([*params], [*params.values()]) if self.config.optimizer == "muon" else []
        self.optimizers = [*([self.muon(chosen)] if chosen else []),
                           self.adamw([p for p in params.values() if not any(p is matrix for matrix in chosen)])]

    def muon(self, params: list[Any]) -> Any:
        """Muon in the scale of ours."""
        return self.torch.optim.Muon(params, self.config.lr, weight_decay=self.config.weight_decay, momentum=0.95,
                                     nesterov=True, adjust_lr_fn="match_rms_adamw")

    def adamw(self, params: list[Any]) -> Any:
        """AdamW that decays matrices alone."""
        groups = [{"params": [p for p in params if p.ndim > 1], "weight_decay": self.config.weight_decay},
                  {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0}]
        return self.torch.optim.AdamW(groups, self.config.lr, fused=True)

    def tensor(self, images: np.ndarray) -> Any:
        """Normalized images: (B, H, W, channels) of uint8 -> (B, channels, H, W), channels last in memory."""
        return self.torch.from_numpy(normalize(images, self.mean, self.std)).permute(0, 3, 1, 2)

    def step(self, images: np.ndarray, labels: np.ndarray) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = self.schedule(self.done)
        loss = self.torch.nn.functional.cross_entropy(self.model(self.tensor(images)), self.torch.from_numpy(labels),
                                                      label_smoothing=self.config.label_smoothing)
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm, foreach=True)
        for optimizer in self.optimizers:
            optimizer.step()

    def test(self) -> float:
        images, labels = self.dataset.test_images, self.dataset.test_labels
        with self.torch.inference_mode():
            right = [int((self.model(self.tensor(images[i:i + TESTED_AT_ONCE])).argmax(1).numpy()
                          == labels[i:i + TESTED_AT_ONCE]).sum()) for i in range(0, len(images), TESTED_AT_ONCE)]
        return sum(right) / len(images)


LEARNERS: dict[str, tuple[Callable[..., Learner], Literal["adamw", "muon"]]] = {
    "minimixer-muon": (Ours, "muon"), "minimixer-adamw": (Ours, "adamw"),
    "pytorch-muon": (Theirs, "muon"), "pytorch-adamw": (Theirs, "adamw")}
