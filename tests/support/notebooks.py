"""Notebooks and archives, made in a test."""

import io
import json
import zipfile


def notebook(*code, outputs=()):
    """The text of a notebook with these code cells."""
    cells = [{"cell_type": "code", "source": text, "outputs": list(outputs), "metadata": {}, "execution_count": 1}
             for text in code]
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells})


def zipped(files, when=(2026, 10, 1, 12, 0, 0)):
    """The bytes of a zip with these files: name to text or bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, when), data)
    return content.getvalue()


def write_tree(folder, files):
    """Write files below a folder: path to text or bytes."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder
