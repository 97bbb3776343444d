"""Deletes, renames and overwriting writes: each goes through one door in files.py, which asks for proof."""

import ast
import os
from pathlib import Path

import pytest

import minimixer
from minimixer import files
from minimixer.files import FileRefusedError

PACKAGE = Path(minimixer.__file__).parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")
           if "student" not in path.parts}
# Names that can mean nothing else, those that do so as functions of os and shutil, and methods that write over a file.
REMOVERS = {"unlink", "rmdir", "rmtree", "removedirs", "rename", "renames", "truncate", "ftruncate"}
OF_MODULES = {"remove", "replace", "move", "copy", "copy2", "copyfile", "copytree"}
WRITERS = {"write_text", "write_bytes", "savefig", "tofile", "savez", "savez_compressed"}


def found(tree):
    """(function, name) of everything in a module that can delete, rename or write over a file."""
    seen = set()

    def visit(node, function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        name = None
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in REMOVERS | WRITERS or (owner in ("os", "shutil") and node.attr in OF_MODULES):
                name = node.attr
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil"):
            name = next((alias.name for alias in node.names if alias.name in REMOVERS | OF_MODULES), None)
        elif isinstance(node, ast.Constant):
            name = node.value if isinstance(node.value, str) and node.value in REMOVERS | WRITERS else None
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if (called == "replace" and len(given) == len(node.args) == 1) or (          # Path.replace
                    called == "open" and any(map(_writes, given))):
                name = called
        if name is not None:
            seen.add((function, name))
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(tree, "")
    return seen


def _writes(argument):
    """Whether an argument of ``open`` asks for a file whose content goes: mode w, or O_TRUNC."""
    text = ast.unparse(argument)
    return (isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value[:1] == "w"
            and set(argument.value) <= set("wbt+")) or "O_TRUNC" in text


DOOR = {("files.py", "remove", "unlink"), ("files.py", "remove", "rmdir"),     # with proof
        ("files.py", "replacing", "replace"),                                   # the writer of whole files
        ("files.py", "give_name", "rename")}                                    # only where nothing is
# What is no file of a user's.
OTHERS = {
    ("data/part.py", "clear", "truncate"): "its own download, which check_part has proved to be one",
    ("plots/style.py", "save", "savefig"): "into the unfinished file of files.replacing",
    ("plots/notebook_figure.py", "_repr_png_", "savefig"): "memory",
    ("weights/files.py", "write_weights", "savez"): "memory",
    ("data/sources/image_cache.py", "write", "open"): "a member of the unfinished file of files.replacing",
    ("exercises/processes.py", "discard", "rmtree"): "a scratch folder, which owner() has proved to be one",
    ("commands/train.py", "main", "open"): "the null device",
    ("bench/memory.py", "trim_memory", "write_text"): "a file of /proc"}


def test_nothing_else_deletes_renames_or_writes_over_files():
    everything = {(file, *what) for file, tree in SOURCES.items() for what in found(tree)}
    assert everything - DOOR - OTHERS.keys() == set()
    assert (DOOR | OTHERS.keys()) - everything == set()         # no entry outlives its code


@pytest.mark.parametrize("line", [
    "path.unlink()", "path.unlink(missing_ok=True)", "os.remove(path)", "os.unlink(path)", "folder.rmdir()",
    "shutil.rmtree(folder)", "os.replace(a, b)", "a.replace(b)", "a.rename(b)", "shutil.move(a, b)", "os.rename(a, b)",
    "from os import remove", "from shutil import rmtree as clean", "getattr(os, 'unlink')(path)",
    "delete = os.remove", "contextlib.suppress(OSError)(path.unlink)", "open(path, 'w')", "open(path, mode='wb')",
    "path.open('w')", "os.open(path, os.O_WRONLY | os.O_TRUNC)", "path.write_text('')", "path.write_bytes(b'')",
    "os.truncate(path, 0)", "file.truncate()", "shutil.copyfile(a, b)", "figure.savefig(path)", "array.tofile(path)"])
def test_planted_ones_are_found(line):
    assert found(ast.parse(f"def planted():\n    {line}\n"))


@pytest.mark.parametrize("line", [
    "text.replace('a', 'b')", "names.remove(name)", "replace(config, seed=1)", "open(path)", "open(path, 'rb')",
    "open(path, 'x')", "array.copy()", "os.listdir('w')"])
def test_what_changes_no_file_is_not(line):
    assert found(ast.parse(f"def harmless():\n    {line}\n")) == set()


def test_every_delete_says_what_proves_it():
    """``remove`` has no default for its proof, and no caller gives one that is always true."""
    proofs = [{keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
              for tree in SOURCES.values() for node in ast.walk(tree)
              if isinstance(node, ast.Call) and ast.unparse(node.func) in ("remove", "files.remove")]
    assert len(proofs) >= 8
    assert all("proof" in given and "True" not in given["proof"] for given in proofs)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere"),
                                  lambda path: path.symlink_to(".")])
def test_the_door_asks_first_and_follows_no_link(make, tmp_path):
    path, asked = tmp_path / "x", []
    files.remove(path, proof=asked.append)                  # nothing is there
    assert asked == []
    make(path)
    with pytest.raises(FileRefusedError, match=r"was not made by minimixer, so it is not deleted.*another place"):
        files.remove(path, proof=asked.append)
    assert asked == [path]
    files.remove(path, proof=os.path.lexists)
    assert os.listdir(tmp_path) == []


def test_a_folder_with_something_in_it_is_never_deleted(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis").touch()
    with pytest.raises(OSError, match="not empty"):
        files.remove(tmp_path / "folder", proof=Path.is_dir)
    assert (tmp_path / "folder" / "thesis").exists()


def test_a_name_that_is_taken_is_not_given_again(tmp_path):
    for name in ("a.txt", "b", "a.yours-1.txt"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        files.give_name(tmp_path / "a.txt", tmp_path / "b")
    assert files.set_aside(tmp_path / "a.txt").name == "a.yours-2.txt"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "b": "b", "a.yours-1.txt": "a.yours-1.txt", "a.yours-2.txt": "a.txt"}
