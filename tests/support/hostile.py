"""Hostile and broken submissions, and the status that each must get."""

import os

STARTS_FORKING = """
import ctypes, os, time
libc = ctypes.CDLL(None)                # bypasses os.fork, which would be refused
for _ in range(6):
    if libc.fork() == 0:
        os.setsid()                     # leaves the group that will be killed
        time.sleep(600)
        os._exit(0)
"""

# name -> (source, status of every task)
HOSTILE = {
    "crash": ("1 / 0\n", "error"),
    "syntax": ("def unbroadcast(gy, shape)\n    return gy\n", "error"),
    "endless": ("while True:\n    pass\n", "timeout"),
    "sleeps": ("import time\ntime.sleep(10_000)\n", "timeout"),
    "waits_for_input": ("input('your name? ')\n", "error"),
    "memory": ("hog = []\nwhile True:\n    hog.append(bytearray(1 << 24))\n", "error"),
    "deep": ("def f():\n    f()\nf()\n", "error"),
    "loud": ("for _ in range(200_000):\n    print('x' * 100)\nraise ValueError('loud')\n", "error"),
    "exits": ("import sys\nsys.exit(0)\n", "error"),
    "leaves": ("import os\nos._exit(0)\n", "error"),
    "fork_bomb": ("import os\nwhile True:\n    os.fork()\n", "error"),
    "starts_programs": ("import subprocess\nsubprocess.run(['sleep', '600'])\n", "error"),
    "deletes": ("import pathlib\npathlib.Path(PRECIOUS).unlink()\n", "error"),
    "deletes_quietly": ("import shutil\ntry:\n    shutil.rmtree(PRECIOUS)\nexcept Exception:\n    pass\n", "error"),
    "overwrites": ("open(PRECIOUS, 'w').write('gone')\n", "error"),
    "moves_over": ("import os\nopen('mine', 'w').write('forged')\nos.replace('mine', PRECIOUS)\n", "error"),
    "makes_folders": ("import os\nos.mkdir(PRECIOUS + '.d')\n", "error"),
    "reads_solutions": ("import minimixer, pathlib\nroot = pathlib.Path(minimixer.__file__).parents[1]\nexec((root / "
                        "'lessons' / 'exercises' / 'ex01_unbroadcast.py').read_text())\n", "error"),
    "network": ("import socket\nsocket.create_connection(('127.0.0.1', 9), 1)\n", "error"),
    "forges": ("import json, os\nfor fd in range(3, 30):\n    try:\n        os.write(fd, json.dumps(['', {'name': "
               "'unbroadcast', 'function': 'unbroadcast', 'points': 10, 'status': 'pass', 'rows': [], 'diagnosis': "
               "None}]).encode() + b'\\n')\n    except OSError:\n        pass\nos._exit(0)\n", "error"),
    "segfault": ("import ctypes\nctypes.string_at(0)\n", "error"),
    "empty": ("", "error"),
    "prose": ("Dear teacher, my dog ate my homework.\n", "error"),
    "binary": (os.urandom(64).hex().encode() + b"\0\xff\xfe", "error"),
    "null": (b"x = 1\0\n", "error"),
}
