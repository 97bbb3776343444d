"""Small data sets in the official layout of CIFAR."""

import io
import tarfile

import numpy as np


def records(archive, labels, pixels=None):
    """The bytes of one .bin file: header, then R, G and B planes, for every label."""
    pixels = np.zeros((len(labels), 3072), np.uint8) if pixels is None else pixels
    header = np.full((len(labels), archive.header_bytes), 255, np.uint8)    # 255: no valid class anywhere
    header[:, archive.label_byte] = labels
    return np.hstack([header, pixels]).tobytes()


def official(archive, count=2, seed=0):
    """File name -> bytes of a small data set with random images, `count` a file."""
    rng = np.random.default_rng(seed)
    classes = len(archive.class_names)
    files = {name: records(archive, rng.integers(0, classes, count), rng.integers(0, 256, (count, 3072), np.uint8))
             for name in archive.files}
    return {archive.names_file: "".join(f"{name}\n" for name in archive.class_names).encode() + b"\n", **files}


def unpack(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def pack(path, members, *others):
    """A .tar.gz of the members, name -> bytes, after headers without content, as dicts of TarInfo attributes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as tar:
        for attributes in others:
            info = tarfile.TarInfo()
            for key, value in attributes.items():
                setattr(info, key, value)
            header = info.tobuf(tarfile.GNU_FORMAT, tar.encoding, tar.errors)   # addfile wants the content too
            tar.fileobj.write(header)
            tar.offset += len(header)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def packed(archive, **kwargs):
    return {f"{archive.folder}/{name}": content for name, content in official(archive, **kwargs).items()}
