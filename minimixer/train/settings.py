"""The settings of a run, in the groups that the help shows: each with its default and its help text."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

from minimixer.data.known import KNOWN
from minimixer.nn.build import MODELS
from minimixer.optim import ScheduleKind
from minimixer.options import INCLUDED, THREADS, Rule
from minimixer.parallel.workers import Kernels

ModelName = Literal[
    "pico", "nano", "micro", "tiny", "small", "S/32", "S/16", "B/32", "B/16", "L/32", "L/16", "H/14",
    "vit-pico", "vit-nano", "vit-micro", "vit-tiny", "vit-small",
    "convnet-pico", "convnet-nano", "convnet-micro", "convnet-tiny", "convnet-small"]
assert set(get_args(ModelName)) == set(MODELS)


@dataclass(frozen=True)
class Data:
    """The images."""

    data: str = "digits"
    """Data set: digits, cifar10, another name of minimixer data list, or the path of your own images."""
    data_dir: Path | None = None
    """Folder that holds the files of a known data set; by default $MINIMIXER_DATA, ./data, the cache."""
    download: bool = False
    """Fetch the data set if it is not found."""
    classes: str | None = None
    """Only these classes of the data, in this order: cats,dogs."""
    validation: float = 0.0
    """Share of the training images that chooses the best weights; the test images are then looked at once."""
    test_share: float = 0.2
    """Share of your own images that is for the test, if they are not divided yet; the same ones for every --seed."""
    batch_size: int = 128
    """Images per step."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        INCLUDED._replace(instead="choose --data cifar10; to train on images of your own, name them: --data FOLDER"),
        Rule(("data_dir", "download"), lambda given: given.data not in KNOWN,
             "with --data {data} (your own images are read where they are)", "name a data set that is known"),
        Rule(("test_share",), lambda given: given.data in KNOWN,
             "with --data {data} (its test images are fixed)", "name images of your own with --data"))


@dataclass(frozen=True)
class Model:
    """The model; its classes follow from the data, and so does its image size unless stated."""

    model: ModelName = "pico"
    """A Mixer in a size of the paper or our own, or a ViT or a ConvNet with about as many parameters."""
    patch_size: int | None = None
    """P, in pixels; by default the model's own, for your own images about an eighth of their side."""
    image_size: int | None = None
    """Side of the images that the model sees; by default that of the data, or of the model of --init-from."""
    init_from: Path | None = None
    """Fine-tune the model of this run, or cifar10-micro; it replaces --model and --patch-size."""
    stochastic_depth: float = 0.0
    """Rate in the last block; it grows linearly from 0 in the first."""
    dropout: float = 0.0
    """Rate inside the MLPs."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(("model", "patch_size"), lambda given: given.init_from is not None,
             "with --init-from {init_from} (the model is that one)", "leave out --init-from", by_value=False),
        Rule(("patch_size",), lambda given: given.model.startswith("convnet"),
             "with --model {model} (ConvNets have no patches)", "choose a Mixer or a ViT"))


@dataclass(frozen=True)
class Recipe:
    """How the model is trained."""

    epochs: int = 30
    """Passes over the training images."""
    max_steps: int | None = None
    """Stop after this many steps, with the schedule fitted to them."""
    optimizer: Literal["adamw", "muon", "sgd"] = "adamw"
    """Muon takes the matrices of stem and blocks, AdamW the rest; SGD uses momentum 0.9."""
    lr: float = 2e-3
    """Peak learning rate."""
    schedule: ScheduleKind = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup_steps: int = 100
    """Steps of linear warm-up, at most a fifth of the run."""
    weight_decay: float = 0.05
    """Decoupled with adamw and muon; on matrices only."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient; 0 for no clipping."""
    label_smoothing: float = 0.0
    """Share of each target that is spread over all classes."""
    ema: float = 0.0
    """Decay of a moving average of the weights, such as 0.999; tests and best.safetensors use it.  0 for none."""
    seed: int = 0
    """The same command with the same seed gives the same bytes."""


@dataclass(frozen=True)
class Machine:
    """Where the run computes; the result does not depend on the number of threads, to the last bit."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Auto uses the GPU if there is one."""
    precision: Literal["float32", "tf32"] = "float32"
    """Precision of matrix products on a GPU; tf32 keeps 10 of 23 bits of the fraction, and is faster."""
    workers: int | None = None
    """Threads per process; by default one per physical core, divided among the processes of the machine."""
    distributed: Literal["auto", "mpi", "off"] = "auto"
    """Share every batch with the processes that mpiexec or srun started; off lets each train by itself."""
    blas_tune: bool = True
    """Make OpenBLAS use AVX-512 kernels if the CPU has AVX-512 and OpenBLAS did not choose them."""
    graph: bool = True
    """On a GPU, record the gradients of a step as a CUDA graph and start it by one call; the same numbers."""
    kernels: Kernels = "fast"
    """Form of every op: the fastest, the fastest without compiled loops, or as written; they round differently."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        THREADS,
        Rule(("precision", "graph"), lambda given: given.device == "cpu", "on a CPU", "choose --device gpu"),
        Rule(("kernels",), lambda given: given.device == "gpu" and given.kernels == "inplace",
             "on a GPU (fast and inplace are one there)", "choose --kernels reference"))


@dataclass(frozen=True)
class Output:
    """What is kept of the run."""

    out: Path | None = None
    """Run folder; by default runs/NAME-NUMBER."""
    resume: bool = False
    """Continue the run in --out, with the configuration saved there."""
    overwrite: bool = False
    """Replace the run in --out; a folder that holds anything else is refused."""
    checkpoint_every: int | None = None
    """Also save every this many steps; by default only at the end of each epoch."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    tensorboard: bool = False
    """Also write events for TensorBoard into the run folder."""
