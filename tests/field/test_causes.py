"""An error of the system names its cause, never a guess; what fails to be printed never becomes a traceback."""

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from minimixer import files
from minimixer.cli import main
from minimixer.errors import command_line, explain, run_command
from minimixer.train.progress import resume_command


@pytest.mark.parametrize(("number", "advice"), [
    (errno.ENOSPC, "make room there"), (errno.EDQUOT, "make room there"),
    (errno.EACCES, "change its permissions, or choose another place"), (errno.EROFS, "mounted read-only"),
    (errno.ENOENT, "check the path"), (errno.EMFILE, "ulimit -n"), (errno.EIO, "does not answer anymore"),
    (errno.ENAMETOOLONG, "a shorter name"), (errno.EFBIG, "ulimit -f")])
def test_the_advice_is_that_of_the_cause(number, advice, capsys):
    def command():
        raise OSError(number, os.strerror(number), "some/file")

    assert run_command("train", command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("minimixer train: ")
    assert os.strerror(number) in line
    assert "'some/file'" in line
    assert advice in line
    assert ("room" in line) == (number in (errno.ENOSPC, errno.EDQUOT))


@pytest.mark.parametrize("error", [OSError("a library's own words"), OSError(errno.ECHILD, "No child processes"),
                                   OSError()])
def test_without_a_known_cause_there_is_no_advice(error):
    assert explain(error) == (str(error) or "OSError")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
@pytest.mark.parametrize("limit", [100, 200_000])
def test_a_limit_on_the_size_of_files_is_named_with_the_file(limit, tmp_path, capsys):
    import resource
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        code = main(["train", "--max-steps", "1", "--workers", "1", "--out", str(tmp_path / "run")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    (line,) = capsys.readouterr().err.splitlines()
    for part in ("File too large", str(tmp_path / "run" / ("config.json" if limit == 100 else "")), "ulimit -f"):
        assert part in line
    assert ".tmp" not in line


@pytest.mark.parametrize(("work", "named"), [
    (lambda path: files.write_atomically(path / "gone" / "x", b""), "gone/x"),
    (lambda path: files.write_atomically(path, b""), "")])
def test_a_file_that_cannot_be_written_is_named_as_the_user_knows_it(work, named, tmp_path):
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        work(tmp_path)
    assert str(caught.value).endswith(f": {str(tmp_path / named)!r}")


@pytest.mark.slow
def test_without_docstrings_every_command_still_works(tmp_path):
    for command in ("experiments cnn-identity --quick --out x", "train --help", "train --max-steps 2 --out run",
                    "eval run", "exercises list", "lessons list", "inspect micro", "data list", "--help"):
        done = subprocess.run([sys.executable, "-OO", "-m", "minimixer", *command.split()], capture_output=True,
                              text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("setting", "says"), [
    ("NUMBA_DISABLE_JIT=1", "Numba compiles nothing (NUMBA_DISABLE_JIT is set)"), ("NUMBA_DISABLE_JIT=0", "None")])
def test_numba_that_compiles_nothing_is_not_used(setting, says):
    pytest.importorskip("numba")
    name, value = setting.split("=")
    code = ("from minimixer.ops import registry\nprint(registry.numba_problem())\n"
            "with registry.use('compiled') as runs: print(runs)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, name: value})
    assert done.stdout.splitlines() == [says, "compiled" if says == "None" else "inplace"], done.stderr


def test_a_limit_of_threads_is_a_sentence(capsys):
    def command():
        raise RuntimeError("can't start new thread")

    assert run_command("train", command) == 1
    assert capsys.readouterr().err == ("minimixer train: the system allows no more threads: raise the limit "
                                       "(ulimit -u), end other programs, or compute with fewer --workers\n")


def test_other_bugs_stay_bugs():
    def command():
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run_command("train", command)


@pytest.mark.parametrize("path", ["runs/a", "my runs/first run", "it's", "a;rm -rf b", "$HOME", "-x", "*", "né"])
def test_a_printed_command_can_be_pasted(path):
    words = ["minimixer", "train", "--resume", "--out", path]
    assert shlex.split(command_line(*words)) == words
    assert resume_command(Path(path)) == command_line(*words)


def test_an_unknown_command_is_still_a_wrong_command_line(capsys):
    assert main(["trian"]) == 2
    assert capsys.readouterr().err == "minimixer: there is no command 'trian'; did you mean 'train'?\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", ["", "--help", "--version", "train --help", "data list", "exercises --help"])
@pytest.mark.parametrize(("redirection", "codes"), [
    ("> /dev/full", {1}), ("> /dev/full 2> /dev/full", {1}), (">&-", {0}), (">&- 2>&- <&-", {0}),
    ("2>&-", {0}), ("| true; exit ${PIPESTATUS[0]}", {0, 1})])
def test_output_that_cannot_be_written(words, redirection, codes):
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m minimixer {words} {redirection}"], capture_output=True,
                          text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode in codes, done.stderr
    assert len(done.stderr.splitlines()) == (redirection == "> /dev/full")
    if redirection == "> /dev/full":
        assert "make room there" in done.stderr


@pytest.mark.slow
def test_stderr_that_is_closed_while_blas_kernels_are_chosen():
    code = ("from minimixer.errors import open_standard_streams; from minimixer.parallel import host; import os, sys\n"
            "open_standard_streams(); host.blas_kernel = lambda: 'Haswell'; host.cpu_flags = lambda: {'avx512f'}\n"
            "os.environ.pop(host.CORETYPE, None); os.environ.pop(host.CHOSEN, None)\n"
            "os.execv = lambda *_: os._exit(7)\nhost.choose_blas_kernel([])")
    assert subprocess.run(["bash", "-c", f"{sys.executable} -c {shlex.quote(code)} 2>&-"], timeout=60).returncode == 7
