r"""IPython's input as Python: the same calls that IPython makes of ``%magic``, ``!command`` and ``name?``.

Written after the rules of IPython.core.inputtransformer2, with which the tests compare it; so the verdict on a notebook
does not depend on whether IPython is installed where it is graded.  One difference: the lines keep their numbers.
"""

import re
from collections.abc import Iterator
from textwrap import dedent

ESCAPES = "%!?,;/"
PROMPT = re.compile(r"\s*>>>( |$)")
CONTINUED = re.compile(r"\s*(>>>|\.\.\.)( |$)")
NUMBERED = re.compile(r"((\[nav\]|\[ins\])? )?In \[\d+\]: |\s*\.{3,}: ?")
HELP = re.compile(r"(%{0,2}(?!\d)[\w*]+(\.(?!\d)[\w*]+|\[-?[0-9]+\])*)(\?\??)$")
STRING = re.compile(r"""('''|\"\"\"|'|")""")
OPEN, CLOSE = "([{", ")]}"
# Names that mean a magic when a cell has one line that begins with them, and nothing else has that name.
AUTOMAGIC = frozenset(re.findall(r"\w+", """
    alias alias_magic autoawait autocall automagic bookmark cat cd code_wrap colors conda config cp debug dhist dirs
    doctest_mode ed edit env gui hist history killbgscripts ldir lf lk ll load load_ext loadpy logoff logon logstart
    logstate logstop ls lsmagic lx macro magic mamba matplotlib micromamba mkdir mv notebook page pastebin pdb pdef
    pdoc pfile pinfo pinfo2 pip popd pprint precision prun psearch psource pushd pwd pycat pylab quickref recall
    rehashx reload_ext rep rerun reset reset_selective rm rmdir run save sc set_env sx system tb time timeit unalias
    unload_ext uv who who_ls whos xdel xmode
    """))


def transform(cell: str) -> str:
    """A cell as Python, as far as IPython's syntax goes; the rest stays as it is, right or wrong."""
    lines = _without_prompts(_dedented(cell).split("\n"))
    first = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    if first < len(lines) and lines[first].startswith("%%") and not re.match(r"%%\w+\?", lines[first]):
        name, _, rest = lines[first][2:].rstrip().partition(" ")
        body = "\n".join(lines[first + 1:])
        return "\n" * first + f"get_ipython().run_cell_magic({name!r}, {rest!r}, {body!r})" + "\n"
    made = []
    for start, logical in _logical_lines(lines):
        made += _transformed(logical) if start is None else [logical[0][:start] + _command(logical, start)]
        made += [""] * (len(logical) - 1) if start is not None else []
    return "\n".join(made)


def automagic(cell: str) -> str | None:
    """The call that a cell of one line makes if it names a magic without its ``%``; else None."""
    lines = cell.strip().split("\n")
    word = re.match(r"\w+", lines[0])
    if len(lines) > 1 or not word or word[0] not in AUTOMAGIC or re.match(r"\s*([-+*/@&|^%]?=(?!=)|[(,.\[:])",
                                                                          lines[0][word.end():]):
        return None
    return f"get_ipython().run_line_magic({word[0]!r}, {lines[0][word.end():].strip()!r})"


def _dedented(cell: str) -> str:
    return dedent(cell) if re.match(r"\s*\n[ \t]|[ \t]", cell) else cell


def _without_prompts(lines: list[str]) -> list[str]:
    """Lines pasted from a session, without ``>>>`` or ``In [1]:``."""
    filled = [line for line in lines if line.strip()][:2]
    if filled and PROMPT.match(filled[0]):
        return dedent("\n".join(CONTINUED.sub("", line, count=1) for line in lines)).split("\n")
    if any(NUMBERED.match(line) for line in filled):
        return [NUMBERED.sub("", line, count=1) if NUMBERED.match(line) else line for line in lines]
    return lines


def _logical_lines(lines: list[str]) -> Iterator[tuple[int | None, list[str]]]:
    """Groups of lines that belong together, and where in the first an IPython command begins, None if nowhere."""
    n = 0
    while n < len(lines):
        start = _command_start(lines[n])
        end = n + 1
        if start is not None:
            while lines[end - 1].endswith("\\") and end < len(lines):
                end += 1
        else:
            end = _end_of_python(lines, n)
        yield start, lines[n:end]
        n = end


def _command_start(line: str) -> int | None:
    """Where the command of a line begins: at its first character, or behind ``name =``."""
    stripped = line.lstrip()
    if stripped and stripped[0] in ESCAPES:
        return None if _is_help(stripped) else len(line) - len(stripped)
    for position, _ in _code_characters(line, "="):
        behind = line[position + 1:]
        command = len(line) - len(behind.lstrip(" \t"))
        is_plain = line[:position].strip() and line[position - 1] not in "=!<>+-*/@&|^%:"
        return command if is_plain and re.match(r"\s*(!(?!=)|%[^\W\d])", behind) else None
    return None


def _code_characters(line: str, wanted: str) -> Iterator[tuple[int, str]]:
    """The wanted characters of a line that lie outside brackets, strings and comments."""
    depth, position = 0, 0
    while position < len(line):
        if quote := STRING.match(line, position):
            position = _string_end(line, quote[0], quote.end())
            continue
        character = line[position]
        if character == "#":
            return
        depth += (character in OPEN) - (character in CLOSE and depth > 0)
        if character in wanted and depth == 0:
            yield position, character
        position += 1


def _string_end(text: str, quote: str, start: int) -> int:
    """The index behind the end of a string; the length of the text if it does not end."""
    while start < len(text):
        if text[start] == "\\":
            start += 2
        elif text.startswith(quote, start):
            return start + len(quote)
        elif text[start] == "\n" and len(quote) == 1:
            return start
        else:
            start += 1
    return len(text)


def _end_of_python(lines: list[str], start: int) -> int:
    """The index of the line behind a logical line of Python: brackets are closed, strings ended, no backslash."""
    depth, n, column, quote = 0, start, 0, ""
    while n < len(lines):
        line = lines[n]
        if quote:
            column = _string_end(line, quote, 0)
            quote = "" if line.endswith(quote) or column < len(line) else quote
        else:
            column = 0
        while column < len(line) and not quote:
            if opened := STRING.match(line, column):
                column = _string_end(line, opened[0], opened.end())
                ended = column > opened.end() and line.endswith(opened[0], opened.end(), column)
                quote = opened[0] if len(opened[0]) == 3 and not ended else ""
                continue
            if line[column] == "#":
                break
            depth = max(0, depth + (line[column] in OPEN) - (line[column] in CLOSE))
            column += 1
        n += 1
        if not quote and not depth and not line.endswith("\\"):
            break
    return n


def _is_help(stripped: str) -> bool:
    return bool(HELP.search(stripped)) and stripped[0] != "!"


def _transformed(lines: list[str]) -> list[str]:
    """A logical line of Python, or of ``name?``."""
    text = "\n".join(lines)
    stripped = text.strip()
    found = HELP.search(stripped) if stripped.endswith("?") else None
    if not found or stripped.startswith("#"):
        return lines
    return [text[:len(text) - len(text.lstrip())] + _help(found[1], found[3]), *[""] * (len(lines) - 1)]


def _command(lines: list[str], start: int) -> str:
    """The call for a command, whose lines are joined where they end in a backslash."""
    pieces = [lines[0][start:], *lines[1:]]
    text = " ".join([piece.rstrip()[:-1] for piece in pieces[:-1]] + [pieces[-1].rstrip()])
    if start and lines[0][:start].strip():      # name = command
        if text[0] == "!":
            return f"get_ipython().getoutput({text[1:]!r})"
        return _magic(text[1:])
    if text[:2] == "!!":
        return f"get_ipython().getoutput({text[2:]!r})"
    if text[0] == "!":
        return f"get_ipython().system({text[1:]!r})"
    if text[0] == "?":
        target = text.lstrip("?") if text[:2] == "??" else text[1:]
        return _help(target, "??" if text[:2] == "??" else "?") if target else "get_ipython().show_usage()"
    if text[0] == "%":
        return _magic(text[1:])
    name, _, rest = text[1:].partition(" ")
    if text[0] == "/":
        return f"{name}({', '.join(rest.split())})"
    quoted = '", "'.join(rest.split()) if text[0] == "," else rest
    return f'{name}("{quoted}")'


def _magic(text: str) -> str:
    name, _, rest = text.partition(" ")
    return f"get_ipython().run_line_magic({name!r}, {rest!r})"


def _help(target: str, mark: str) -> str:
    method = "pinfo2" if mark == "??" else "psearch" if "*" in target else "pinfo"
    return f"get_ipython().run_line_magic({method!r}, {target!r})"
