"""MNIST, Fashion-MNIST and Kuzushiji-MNIST: one format, three data sets, whose files have the same names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minimixer.backend import Array
from minimixer.data.dataset import DataError, Dataset
from minimixer.data.notes import Notes
from minimixer.data.parts import DEFAULT_TEST_SHARE
from minimixer.data.places import cache_folder, usual_places
from minimixer.data.sources.idx import TEST, TRAIN, Files, find_idx, load_idx, read_idx
from minimixer.files import sha256_of
from minimixer.text import printable

KEYS = (TRAIN, "images"), (TRAIN, "labels"), (TEST, "images"), (TEST, "labels")
NAMES = tuple(f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


@dataclass(frozen=True)
class Family:
    """One data set: where it lies, and how to know it.

    ``files`` are size in bytes and sha256 of the four ``NAMES``; ``first_labels`` tell data sets apart whose files are
    unpacked, None where they are not known.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    folders: tuple[str, ...]            # that torchvision and others make
    page: str
    url: str                            # of the files, ends in /
    files: tuple[tuple[int, str], ...]
    first_labels: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(size for size, _ in self.files)


# Sizes and hashes: each from at least two public lists that agree; all hashes are those of the .gz files.
FAMILIES = {family.name: family for family in (
    Family("mnist", "MNIST", tuple("0123456789"), ("mnist", "MNIST/raw", "MNIST"),
           "http://yann.lecun.com/exdb/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
           ((9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6")),
           (5, 0, 4, 1, 9, 2, 1, 3, 1, 4)),
    Family("fashion-mnist", "Fashion-MNIST",
           ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
           ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST", "fashion"),
           "https://github.com/zalandoresearch/fashion-mnist",
           "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
           ((26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5")),
           (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)),
    Family("kmnist", "Kuzushiji-MNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
           ("kmnist", "KMNIST/raw", "KMNIST"), "https://github.com/rois-codh/kmnist",
           "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
           ((18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"))))}
WHOLE = 60_000          # training images of each


def load_family(name: str, data_dir: str | Path | None = None, download: bool = False) -> Dataset:
    """MNIST or a relative by name: 60,000 training and 10,000 test images, gray, 28 x 28 pixels, 10 classes.

    Parameters
    ----------
    name : str
        ``mnist``, ``fashion-mnist`` or ``kmnist``.
    data_dir : str or Path, optional
        The folder of the four files, gzipped or not, or one that holds such a folder (also torchvision's).  By default
        $MINIMIXER_DATA, ``data`` and the cache folder are searched, in this order.
    download : bool
        If nothing is found, download the four files into a folder in `data_dir`, by default in the cache folder.

    Raises
    ------
    DataError
        If files are missing, damaged, cannot be downloaded, or belong to a relative.
    """
    family = FAMILIES[name]
    folder = find(family, data_dir, download)
    notes = Notes(name, quiet=True)
    return load_idx(folder, find_idx(folder), family.class_names, notes, validation=0.0, test_share=DEFAULT_TEST_SHARE,
                    seed=0)


def find(family: Family, data_dir: str | Path | None, download: bool = False) -> Path:
    """The folder that holds the files, downloaded if asked.  Raises DataError if there is none."""
    places = [place.parent if place.is_file() else place for place in usual_places(data_dir)]
    for folder in (folder for place in places for folder in (*(place / name for name in family.folders), place)):
        if folder.is_dir() and (files := find_idx(folder)):
            whose = recognize(files)
            if whose is None or whose == family:
                return folder
            if data_dir:
                raise DataError(f"{printable(folder, None)} holds {whose.title}, not {family.title}: name another "
                                f"folder, or {whose.name}")
    if download:
        return _download(family, places, data_dir)
    raise DataError(f"""{family.title} was not found in {", ".join(printable(place, None) for place in places)}.
To get its four files ({family.size / 1e6:.0f} MB), use one of:
  minimixer data download {family.name}
  a browser at {family.page} ({", ".join(NAMES)}), then --data-dir FOLDER""")


def _download(family: Family, places: list[Path], data_dir: str | Path | None) -> Path:
    from minimixer.data.download import download as fetch  # here, because requests is slow to import

    if not (data_dir or cache_folder()):
        raise DataError("no home folder is known, so there is no cache folder: name a folder with --data-dir, or set "
                        "MINIMIXER_CACHE")
    folder = places[-1] / family.name
    for name, (size, sha256) in zip(NAMES, family.files, strict=True):
        fetch(family.url + name, folder / name, sha256=sha256, size=size)
    return folder


def recognize(files: Files) -> Family | None:
    """Which data set the files are, by their training labels; None if that is not certain."""
    path = files.get((TRAIN, "labels"))
    if path is None:
        return None
    by_hash = {family.files[1]: family for family in FAMILIES.values()}
    try:
        size = path.stat().st_size
        if any(size == known for known, _ in by_hash):
            return by_hash.get((size, sha256_of(path)))
        return by_labels(read_idx(path, 1)) if size == WHOLE + 8 else None
    except OSError:
        return None


def by_labels(labels: Array) -> Family | None:
    """Which data set has these training labels, by the first of them."""
    first = tuple(labels[:10].tolist())
    return next((family for family in FAMILIES.values() if family.first_labels == first), None)


def verified(family: Family, folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Path, sha256 and expected sha256 of every gzipped file in the folder."""
    files = find_idx(folder)
    for key, (_, expected) in zip(KEYS, family.files, strict=True):
        if key in files and files[key].suffix == ".gz":
            yield files[key], sha256_of(files[key]), expected
