"""Answers that try to get points without work, or to do harm: each must end without a pass, and change nothing.

``PRECIOUS`` stands for the path of a file, ``PACKAGE`` for that of the installed package, ``NEIGHBOR`` for that of
another student's right answer.
"""

NOTHING = "\ndef unbroadcast(gy, shape):\n    return gy * 0\n"

# name -> (exercise, code); the status need only not be a pass
TRICKS = {
    "library": ("ex01", "from minimixer.ops.op import unbroadcast as other\n"
                        "def unbroadcast(gy, shape):\n    return other(gy, (shape, gy.dtype))\n"),
    "library_itself": ("ex06", "from minimixer.ops.layernorm import LayerNorm\n"),
    "library_caught": ("ex01", "import minimixer as mm\ndef unbroadcast(gy, shape):\n    try:\n        mm.Tensor(gy)\n"
                               "    except BaseException:\n        pass\n    return gy.sum()\n"),
    "library_late": ("ex01", "def unbroadcast(gy, shape):\n    import importlib\n"
                             "    return importlib.import_module('minimixer.ops.op').unbroadcast(gy, (shape, 0))\n"),
    "library_subclass": ("ex06", "from minimixer.ops import layernorm\nclass LayerNorm(layernorm.LayerNorm):\n    "
                                 "pass\n"),
    "library_by_path": ("ex01", "import importlib.util\nspec = importlib.util.spec_from_file_location('op', PACKAGE + "
                                "'/ops/op.py')\nop = importlib.util.module_from_spec(spec)\n"
                                "spec.loader.exec_module(op)\n"
                                "def unbroadcast(gy, shape):\n    return op.unbroadcast(gy, (shape, gy.dtype))\n"),
    "library_unhooked": ("ex01", "import sys\nsys.meta_path = [f for f in sys.meta_path if 'oreign' not in "
                                 "type(f).__module__]\nfor name in [n for n in sys.modules if "
                                 "n.startswith('minimixer')]:\n"
                                 "    del sys.modules[name]\nimport os\nsys.path.insert(0, os.path.dirname(PACKAGE))\n"
                                 "from minimixer.ops.op import unbroadcast as other\n"
                                 "def unbroadcast(gy, shape):\n    return other(gy, (shape, gy.dtype))\n"),
    "parts_of_the_exercise": ("ex04", "from minimixer.exercises.parts import Linear\n"),
    "parts_of_another": ("ex08", "from minimixer.exercises.parts import ChannelMixing\nclass TokenMixing:\n"
                                 "    @staticmethod\n    def forward(x, *p):\n"
                                 "        y, s = ChannelMixing.forward(x.swapaxes(1, 2), *p)\n"
                                 "        return y.swapaxes(1, 2), s\n"),
    "torch": ("ex06", "import torch\nclass LayerNorm:\n    @staticmethod\n    def forward(x, weight, bias, eps):\n"
                      "        t = torch.tensor(x)\n        y = torch.nn.functional.layer_norm(t, x.shape[-1:])\n"
                      "        return y.numpy(), (x, x, weight)\n"),
    "neighbor": ("ex01", "exec(open(NEIGHBOR).read())\n"),
    "neighbor_import": ("ex01", "import sys, os\nsys.path.insert(0, os.path.dirname(NEIGHBOR))\n"
                                "from ex01_unbroadcast import unbroadcast\n"),
    "frames": ("ex01", "import sys\ndef unbroadcast(gy, shape):\n    frame = sys._getframe()\n    while frame:\n"
                       "        for value in frame.f_locals.values():\n"
                       "            case = getattr(value, 'case', value)\n"
                       "            if hasattr(case, 'expected'):\n                return case.expected\n"
                       "        frame = frame.f_back\n    return gy\n"),
    "garbage": ("ex01", "import gc\nimport numpy as np\ndef unbroadcast(gy, shape):\n    for thing in "
                        "gc.get_objects():\n"
                        "        if type(thing).__name__ == 'Case':\n            return thing.expected\n    return "
                        "gy\n"),
    "patched_numpy": ("ex01", "import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True\n"
                              "np.abs = lambda *a, **k: np.zeros(1)\n" + NOTHING),
    "patched_equality": ("ex01", "import numpy as np\nclass Same(np.ndarray):\n    def __sub__(self, other):\n"
                                 "        return self * 0\n    __rsub__ = __sub__\n"
                                 "def unbroadcast(gy, shape):\n    return np.zeros(shape).view(Same)\n"),
    "patched_checker": ("ex01", "import sys\nfor name, module in list(sys.modules.items()):\n"
                                "    for thing in ('check_task', 'compare', 'diagnose', 'call_safely', 'describe'):\n"
                                "        if hasattr(module, thing):\n            setattr(module, thing, lambda *a: "
                                "True)\n"
                        + NOTHING),
    "environment": ("ex01", "import os\nos.environ.update(PYTHONPATH='/', LD_PRELOAD='/x.so')\n"
                            "assert not [k for k in os.environ if 'TOKEN' in k]\n" + NOTHING),
    "dir_fd": ("ex01", "import os\nfd = os.open(os.path.dirname(PRECIOUS), os.O_RDONLY)\n"
                       "os.unlink(os.path.basename(PRECIOUS), dir_fd=fd)\n" + NOTHING),
    "pidfd": ("ex01", "import os, signal\nfd = os.pidfd_open(os.getppid())\n"
                      "signal.pidfd_send_signal(fd, signal.SIGTERM)\n" + NOTHING),
    "parent_memory": ("ex01", "import os\nfor name in ('mem', 'environ', 'cmdline', 'fd/0', 'cwd', "
                              "'root/etc/passwd'):\n"
                              "    open(f'/proc/{os.getppid()}/{name}', 'rb').read(10)\n" + NOTHING),
    "kills_parent": ("ex01", "import os\nos.kill(os.getppid(), 9)\n" + NOTHING),
    "atexit": ("ex01", "import atexit, os\natexit.register(lambda: open(PRECIOUS, 'w').write('gone'))\n" + NOTHING),
    "threads": ("ex01", "import threading, os, time\ndef forge():\n    while True:\n        for fd in range(3, 20):\n"
                        "            try:\n                os.write(fd, b'\\0\\0\\0\\2\\0\\0\\0\\0[]')\n"
                        "            except OSError:\n                pass\n"
                        "threading.Thread(target=forge, daemon=True).start()\n" + NOTHING),
    "forged_answer": ("ex01", "import json, os, struct\ndef unbroadcast(gy, shape):\n"
                              "    head = json.dumps([{'t': ['pass', {'t': []}, {'l': []}, 0]}, []]).encode()\n"
                              "    for fd in range(3, 20):\n        try:\n"
                              "            os.write(fd, struct.pack('>II', len(head), 0) + head)\n"
                              "        except OSError:\n            pass\n    return gy * 0\n"),
    "huge_claim": ("ex01", "import os, struct\ndef unbroadcast(gy, shape):\n    for fd in range(3, 20):\n        try:\n"
                           "            os.write(fd, struct.pack('>II', 1 << 31, 1 << 31))\n"
                           "        except OSError:\n            pass\n    return gy * 0\n"),
    "deep_result": ("ex01", "def unbroadcast(gy, shape):\n    x = []\n    for _ in range(5000):\n        x = [x]\n"
                            "    return x\n"),
    "huge_result": ("ex01", "import numpy as np\ndef unbroadcast(gy, shape):\n    return np.zeros((1 << 24,))\n"),
    "endless_result": ("ex01", "class Endless(list):\n    def __iter__(self):\n        while True:\n            yield "
                               "1\n"
                               "def unbroadcast(gy, shape):\n    return Endless()\n"),
    "leaves_in_function": ("ex01", "import os\ndef unbroadcast(gy, shape):\n    os._exit(0)\n"),
    "fork_bomb": ("ex01", "import os\nwhile True:\n    os.fork()\n"),
    "fork_bomb_in_c": ("ex01", "import ctypes\nlibc = ctypes.CDLL(None)\nwhile True:\n    libc.fork()\n"),
    "memory_hog": ("ex01", "def unbroadcast(gy, shape):\n    x = []\n    while True:\n        x.append(bytearray(1 << "
                           "24))\n"),
    "output": ("ex01", "def unbroadcast(gy, shape):\n    for _ in range(100):\n        print('x' * (1 << 20))\n    "
                       "return 0\n"),
    "endless_loop": ("ex01", "def unbroadcast(gy, shape):\n    while True:\n        pass\n"),
    "database": ("ex01", "import sqlite3\ndb = sqlite3.connect(':memory:')\n"
                         "db.execute('attach database ? as d', (PRECIOUS,))\ndb.execute('create table d.t "
                         "(x)')\n" + NOTHING),
    "pipe": ("ex01", "import os\nos.mkfifo(PRECIOUS + '.fifo')\n" + NOTHING),
    "memory_file": ("ex01", "import os\nfd = os.memfd_create('x')\nos.write(fd, b'x')\n" + NOTHING),
    "sparse_file": ("ex01", "with open('big', 'wb') as file:\n    file.truncate(20 << 30)\n" + NOTHING),
    "overwrites_package": ("ex01", "open(PACKAGE + '/exercises/checker.py', 'a').write('#')\n" + NOTHING),
    "overwrites_numpy": ("ex01", "import numpy\nopen(numpy.__file__, 'a').write('#')\n" + NOTHING),
    "network": ("ex01", "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)\n" + NOTHING),
    "own_trace": ("ex01", "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n"
                          "import minimixer.ops.op as o\ndef unbroadcast(gy, shape):\n"
                          "    return o.unbroadcast(gy, (shape, gy.dtype))\n"),
}
NOT_OWN = {"library", "library_itself", "library_caught", "library_late", "library_subclass", "parts_of_the_exercise",
           "parts_of_another", "torch", "own_trace"}
TRICKS["credit_by_name"] = ("ex02", "class VisitsOften(Exception):\n    pass\ndef backward(root, gy):\n"
                                    "    raise VisitsOften\n")
TRICKS["credit_by_spam"] = ("ex02", "def backward(root, gy):\n    if not root.parents:\n        return {root: gy}\n"
                                    "    if any(p.parents for p in root.parents):\n        while True:\n"
                                    "            root.backward(gy)\n    found = {}\n"
                                    "    for p, g in zip(root.parents, root.backward(gy)):\n"
                                    "        found[p] = found.get(p, 0) + g\n    return found\n")
