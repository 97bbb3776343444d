"""What CIFAR-10 and CIFAR-100 consist of, as binary files and as the pickles of their Python edition."""

from dataclasses import dataclass, replace

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"


@dataclass(frozen=True)
class Archive:
    """One official archive: its source and the layout of its records."""

    name: str                       # as on the command line
    title: str
    folder: str                     # inside the archive
    train_files: tuple[str, ...]
    test_files: tuple[str, ...]
    names_file: str
    header_bytes: int               # label bytes before the pixels of a record
    label_byte: int                 # index of the class number among them
    class_names: tuple[str, ...]    # in label order
    url: str
    sha256: str
    size: int                       # bytes
    edition: str = "binary"
    labels_key: str = ""            # of the pickles of the Python edition
    names_key: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """All files of records."""
        return self.train_files + self.test_files

    @property
    def tarball(self) -> str:
        """The file name at the end of the url."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def tarballs(self) -> tuple[str, ...]:
        """What the archive is called after its download: browsers unpack the .gz, Keras names it after its folder."""
        return self.tarball, self.tarball.removesuffix(".gz"), f"{self.folder}.tar.gz", f"{self.folder}.tar"


CIFAR10 = Archive(
    name="cifar10", title="CIFAR-10", folder="cifar-10-batches-bin",
    train_files=tuple(f"data_batch_{i}.bin" for i in range(1, 6)), test_files=("test_batch.bin",),
    names_file="batches.meta.txt", header_bytes=1, label_byte=0,
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", size=170_052_171)

FINE_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

CIFAR100 = Archive(
    name="cifar100", title="CIFAR-100", folder="cifar-100-binary",
    train_files=("train.bin",), test_files=("test.bin",),
    names_file="fine_label_names.txt", header_bytes=2, label_byte=1, class_names=tuple(FINE_NAMES.split()),
    url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", size=168_513_733)

CIFAR10_PYTHON = replace(
    CIFAR10, edition="Python", folder="cifar-10-batches-py",
    train_files=tuple(f"data_batch_{i}" for i in range(1, 6)), test_files=("test_batch",), names_file="batches.meta",
    labels_key="labels", names_key="label_names", url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce", size=170_498_071)

CIFAR100_PYTHON = replace(
    CIFAR100, edition="Python", folder="cifar-100-python", train_files=("train",), test_files=("test",),
    names_file="meta", labels_key="fine_labels", names_key="fine_label_names",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7", size=169_001_437)

EDITIONS = {"cifar10": (CIFAR10, CIFAR10_PYTHON), "cifar100": (CIFAR100, CIFAR100_PYTHON)}
