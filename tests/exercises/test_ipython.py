"""IPython's syntax becomes the Python that IPython itself makes of it."""

import ast
import random
import warnings

import pytest

from minimixer.exercises.answers.ipython import automagic, transform

PIECES = [
    "%matplotlib inline\n", "!ls -l\n", "files = !ls\n", "r = %time f(1)\n", "if x:\n    !pip install a\n",
    "if x:\n    %time y = 2\nelse:\n    z = !pwd\n", "try:\n    import q\nexcept ImportError:\n    !pip install q\n",
    "for i in range(3):\n    %time i\n", "s = '''\n! first\n%d items\n'''\n", 't = "%s" % 3\n', "a = (7\n     % 3)\n",
    "b = 7 \\\n  % 3\n", "!echo a \\\n  b\n", "%time g(1, \\\n   2)\n", "np.sum?\n", "?print\n", "??print\n",
    "print??\n",
    "%time?\n", "*load*?\n", "np.*load*?\n", "a[0]?\n", "def f(a, b=3):\n    '''% and !'''\n    return a != b\n",
    "# !not a command\n", "d = {'a': 1,\n  'b': !x}\n", "f(a=!x)\n", "a.b = !ls {x}\n", "a, b = !ls\n", "x += !ls\n",
    "q = !ls | grep '#'\n", "print(f\"{x!r}\")\n", ";f a b\n", ",f a b\n", "/f a b\n", "!!ls\n", "x = '%time'\n",
    "x=!ls\n",
    "x = %ls\n", "s = r'\\'  # '\n%ls\n", "x: int = !ls\n", "!  ls\n", "z = 'don\\'t'\n", 'y = """a""" + \'b\'\n',
    "w = \"\"\"one\n\\\"\"\" ! two\n\"\"\"\n", "if a: pass\n%ls\n", "\n", "x = 1\n"]
WHOLE = ["%%time\nx = 1\n", "%%html\n<b>\n", "\n\n%%capture out\nprint(1)\n", ">>> x = 1\n>>> y = 2\n",
         ">>> for i in x:\n...     print(i)\n", "In [1]: x = 1\n   ...: y = 2\n", "    x = 1\n    y = 2\n",
         "  %time x=1\n", "%%time?\n", ""]


def tree(change, cell):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.dump(ast.parse(change(cell)))
    except SyntaxError:
        return "SyntaxError"


def mixed(seed):
    rng = random.Random(seed)
    return ["".join(rng.choice(PIECES) for _ in range(rng.randint(2, 5))) for _ in range(120)]


@pytest.mark.slow
@pytest.mark.parametrize("cells", [PIECES, WHOLE, *map(mixed, range(5))],
                         ids=["pieces", "whole", *(f"mixed-{n}" for n in range(5))])
def test_the_same_as_ipython(cells):
    ipython = pytest.importorskip("IPython.core.inputtransformer2", reason="IPython is not installed")
    for cell in cells:
        theirs = ipython.TransformerManager().transform_cell
        assert tree(transform, cell) == tree(theirs, cell), f"{cell!r}\n{theirs(cell)!r}\n{transform(cell)!r}"


@pytest.mark.parametrize(("cell", "expected"), [
    ("if colab:\n    !pip install x\n", "if colab:\n    get_ipython().system('pip install x')\n"),
    ("%time r = f()\nr\n", "get_ipython().run_line_magic('time', 'r = f()')\nr\n"),
    ("files = !ls\n", "files = get_ipython().getoutput('ls')\n"),
    ("!a \\\n  b\nx\n", "get_ipython().system('a    b')\n\nx\n"),
    ("%%time\nx = 1\n", "get_ipython().run_cell_magic('time', '', 'x = 1\\n')\n"),
    ("np.sum?\nx\n", "get_ipython().run_line_magic('pinfo', 'np.sum')\nx\n"),
    ('s = """\n! a\n%d\n"""\n', 's = """\n! a\n%d\n"""\n')])
def test_magics_are_calls_and_lines_keep_their_numbers(cell, expected):
    assert transform(cell) == expected
    assert transform(cell).count("\n") >= cell.count("\n") or cell.startswith("%%")


def test_a_magic_without_its_sign_is_known_by_its_place():
    assert automagic("pip install x") == "get_ipython().run_line_magic('pip', 'install x')"
    assert automagic("ls") == "get_ipython().run_line_magic('ls', '')"
    for python in ("time = 3", "time.time()", "ls(3)", "x", "time += 1", "ls[0]", "pip\nls", "history: int = 3"):
        assert automagic(python) is None, python
