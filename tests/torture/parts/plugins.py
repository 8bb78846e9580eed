"""Hostile plug-ins: they raise whatever there is at any moment, return nonsense, print, change the process.

A run with one ends with exit code 4, one line and nothing changed, or with the answer of the same plug-in
tamed, byte for byte.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plugins.conftest import declare

from torture.attempts import Attempt, attempt, check, for_each
from torture.report import Part, Report, Task

# Each statement ends what runs, if nobody stands in its way.
RAISES = {
    "exit-0": "raise SystemExit(0)",
    "exit-none": "sys.exit()",
    "exit-text": "sys.exit('bye')",
    "generator-exit": "raise GeneratorExit",
    "interrupt": "raise KeyboardInterrupt",
    "cancelled": "raise asyncio.CancelledError",
    "panic": "raise type('PanicException', (BaseException,), {})('rust panicked')",
    "group": "raise BaseExceptionGroup('all', [SystemExit(0), KeyboardInterrupt()])",
    "stop": "raise StopIteration",
    "stop-async": "raise StopAsyncIteration",
    "recursion": "(lambda f: f(f))(lambda f: f(f))",
    "lines": "raise ValueError('one\\ntwo\\r\\n\\x1b[2J\\u202ethree')",
    "long": "raise ValueError('x' * 1_000_000)",
    "surrogate": "raise ValueError('\\udce9')",
    "unprintable": "raise Unprintable",
    "ours-0": "raise type('Fine', (SimilError,), {'exit_code': 0})('all is well')",
    "ours-1": "raise SimilError('negative')",
    "ours-own-0": "exc = ModelError('well'); exc.exit_code = 0; raise exc",
    "typer-exit": "import typer; raise typer.Exit(0)",
    "typer-abort": "import typer; raise typer.Abort",
    "pipe": "raise BrokenPipeError(32, 'Broken pipe')",
    "end-of-file": "raise EOFError",
    "disk": "raise OSError(28, 'No space left on device', 'x')",
    "warning": "raise DeprecationWarning('old')",
    "import": "import no_such_module_anywhere",
    "assert": "assert False",
}
# Where a statement runs, by the name of the place in the plug-in below.
MOMENTS = (
    "at_import", "in_class", "in_constructor", "in_stamp", "in_dimensions", "in_read_ahead", "in_embed",
    "in_later_embed", "in_start", "in_iteration", "in_later_iteration", "in_array", "in_thread", "in_close",
    "in_destructor", "at_exit",
)  # fmt: skip
# What `embed_batch` returns for the right `vectors`.
RETURNS = {
    "none": "None",
    "text": "'vectors'",
    "number": "1.0",
    "flat": "vectors[0]",
    "one-too-many": "np.vstack([vectors, vectors[:1]])",
    "one-too-few": "vectors[1:]",
    "three-dimensional": "vectors[None]",
    "no-dimensions": "vectors[:, :0]",
    "wider": "np.hstack([vectors, vectors])",
    "ragged": "[[1, 2, 3], [1]]",
    "nan": "vectors * np.nan",
    "infinite": "vectors + np.inf",
    "too-large": "vectors.astype(float) * 1e300",
    "strings": "vectors.astype(str)",
    "bytes": "vectors.tobytes()",
    "objects": "vectors.astype(object)",
    "complex": "vectors + 1j",
    "dates": "vectors.astype('datetime64[s]')",
    "records": "np.zeros(len(texts), [('a', 'f4'), ('b', 'f4'), ('c', 'f4')])",
    "dictionary": "{text: row for text, row in zip(texts, vectors)}",
    "generator": "(row for row in vectors)",
    "itself": "self",
}
# What `start_batch` yields for the right `piece`.
YIELDS = {
    "nothing": "return",
    "twice": "yield piece; yield piece",
    "part": "yield Piece(piece.rows[:1], piece.vectors[:1], piece.marks[:1])",
    "outside": "yield Piece(piece.rows + 1, piece.vectors, piece.marks)",
    "negative": "yield Piece(-1 - piece.rows, piece.vectors, piece.marks)",
    "one-row-twice": "yield Piece(piece.rows * 0, piece.vectors, piece.marks)",
    "float-rows": "yield Piece(piece.rows + 0.5, piece.vectors, piece.marks)",
    "bad-marks": "yield Piece(piece.rows, piece.vectors, piece.marks[:0])",
    "an-array": "yield piece.vectors",
    "a-text": "yield 'piece'",
    "rejects-outside": "yield TextRejected(99, 'no')",
    "rejects-negative": "yield TextRejected(-1, 'no')",
    "rejects-none": "yield TextRejected(None, 'no')",
}
ATTRIBUTES = {
    "stamp-of-lines": "stamp = 'one\\ntwo'",
    "stamp-of-control": "stamp = '\\x1b[2J'",
    "stamp-number": "stamp = 7",
    "stamp-bytes": "stamp = b'x'",
    "stamp-long": "stamp = 'x' * 10_000",
    "dimensions-wrong": "dimensions = 4",
    "dimensions-text": "dimensions = '3'",
    "dimensions-zero": "dimensions = 0",
    "dimensions-negative": "dimensions = -3",
    "dimensions-fraction": "dimensions = 2.5",
    "dimensions-nan": "dimensions = float('nan')",
    "read-ahead-none": "read_ahead = None",
    "read-ahead-zero": "read_ahead = ReadAhead(0, 0)",
    "truncated-text": "truncated = 'many'",
    "no-method": "embed_batch = None",
    "method-text": "embed_batch_as = 'x'",
}
# What changes the process, or prints; the answer is the right one all the same.
CHANGES = {
    "print": "print('NOISE')",
    "bytes": "sys.stdout.buffer.write(b'NOISE\\n'); sys.stdout.flush()",
    "first-stdout": "sys.__stdout__.write('NOISE\\n'); sys.__stdout__.flush()",
    "descriptor": "os.write(1, b'NOISE\\n')",
    "c": "ctypes.CDLL(None).puts(b'NOISE'); ctypes.CDLL(None).fflush(None)",
    "child": "subprocess.run(['echo', 'NOISE'])",
    "warn": "warnings.warn('NOISE')",
    "log": "logging.basicConfig(stream=sys.stdout, level=0); logging.warning('NOISE')",
    "thread": "threading.Thread(target=print, args=['NOISE']).start()",
    "at-exit": "atexit.register(print, 'NOISE')",
    "folder": "os.chdir('/')",
    "umask": "os.umask(0o777)",
    "signals": "[signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)]",
    "hooks": "sys.excepthook = sys.unraisablehook = threading.excepthook = lambda *a: os._exit(0)",
    "environment": "os.environ.clear()",
    "locale": "locale.setlocale(locale.LC_ALL, 'C')",
    "recursion-limit": "sys.setrecursionlimit(150)",
    "errors": "np.seterr(all='raise')",
    "warnings": "warnings.simplefilter('error')",
    "closes-stdout": "sys.stdout.close()",
    "no-streams": "sys.stdout = sys.stderr = None",
    "no-logging": "logging.disable(logging.CRITICAL)",
    "seeds": "random.seed(1); np.random.seed(1)",
}

_PLUGIN = """\
import asyncio, atexit, ctypes, locale, logging, os, random, signal, subprocess, sys, threading, warnings

import numpy as np

from simil.embedders.base import Embedder, Kind, Piece, ReadAhead, TextRejected
from simil.errors import ModelError, SimilError


class Unprintable(Exception):
    def __str__(self):
        raise SystemExit(0)


def harm():
    {harm}


class Lazy:
    def __init__(self, vectors):
        self.vectors = vectors

    def __array__(self, *args, **kwargs):
        {in_array}
        return self.vectors


{at_import}


class Letters(Embedder):
    dimensions = 3
    batches = 0
    {attribute}
    {in_class}

    def __init__(self):
        {at_exit}
        {in_constructor}

    {in_stamp}
    {in_dimensions}
    {in_read_ahead}

    def embed_batch(self, texts):
        {in_embed}
        Letters.batches += 1
        if Letters.batches > 1:
            {in_later_embed}
        {in_thread}
        vectors = np.array([[len(text), text.count("e") + 1, text.count("a")] for text in texts], np.float32)
        return {returned}

    {start}

    def close(self):
        {in_close}

    def __del__(self):
        {in_destructor}
"""
_START = """\
def start_batch(self, kind, texts):
        {in_start}
        vectors = Letters.embed_batch(self, texts)
        piece = Piece(np.arange(len(texts)), vectors, np.zeros(len(texts), np.uint8))
        def pieces():
            {in_iteration}
            {yields}
            {in_later_iteration}
        return pieces()
"""
_PROPERTY = "@property\n    def {}(self):\n        harm()\n"
_TEXTS = "".join(f"{word} {number}\n" for number in range(40) for word in ("tea", "eat", "a pear", "trees"))

_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("compare", "tea", "a pear", "--threshold", "0.1"),
    ("compare", "-q", "tea", "a pear", "--threshold", "0.1"),
    ("embed", "texts.txt", "-f", "jsonl", "-o", "out"),
    ("embed", "texts.txt", "-f", "csv"),
    ("search", "tea", "texts.txt", "-f", "json", "-o", "out"),
    ("dedupe", "texts.txt", "--threshold", "0.9", "-o", "out", "-f", "csv"),
    ("cluster", "texts.txt", "-f", "csv"),
)
_OLD = b"what was there before\n"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A plug-in: its name in a report, its code, and whether it gives the right answer all the same."""

    name: str
    code: str
    is_right: bool = False


def plugin(
    moment: str = "",
    harm: str = "pass",
    *,
    attribute: str = "",
    returned: str = "vectors",
    yields: str = "",
) -> str:
    """Return the code of a plug-in that does harm at a moment."""
    places = dict.fromkeys(MOMENTS, "pass")
    places |= dict.fromkeys(("in_stamp", "in_dimensions", "in_read_ahead"), "")
    if moment in ("in_stamp", "in_dimensions", "in_read_ahead"):
        places[moment] = _PROPERTY.format(moment.removeprefix("in_"))
    elif moment == "in_thread":
        places[moment] = "thread = threading.Thread(target=harm); thread.start(); thread.join()"
    elif moment == "at_exit":
        places[moment] = "atexit.register(harm)"
    elif moment:
        places[moment] = "harm()"
    start = ""
    if yields or moment in ("in_start", "in_iteration", "in_later_iteration"):
        start = _START.format(**places, yields=yields or "yield piece")
    if moment == "in_array":
        returned = "Lazy(vectors)"
    return _PLUGIN.format(**places, harm=harm, attribute=attribute, returned=returned, start=start)


def hostile_plugins() -> Iterator[Hostile]:
    """Yield every kind of plug-in at every moment."""
    for moment, (name, harm) in itertools.product(MOMENTS, RAISES.items()):
        yield Hostile(f"{name} {moment}", plugin(moment, harm))
    for name, returned in RETURNS.items():
        yield Hostile(f"returns {name}", plugin(returned=returned))
    for name, yields in YIELDS.items():
        yield Hostile(f"yields {name}", plugin(yields=yields))
    for name, attribute in ATTRIBUTES.items():
        yield Hostile(f"has {name}", plugin(attribute=attribute))
    for name, harm in CHANGES.items():
        for moment in ("at_import", "in_embed", "in_close"):
            yield Hostile(f"{name} {moment}", plugin(moment, harm), is_right=True)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a command prints, leaves in its output, and ends with."""

    code: int
    out: bytes
    output: bytes | None
    names: list[str]


def _run(packages: Path, folder: Path, command: Sequence[str]) -> tuple[Attempt, _Answer]:
    folder.mkdir()
    (folder / "texts.txt").write_text(_TEXTS, "utf-8")
    (folder / "out").write_bytes(_OLD)
    done = attempt(*command, "-m", "plugin:odd", cwd=folder, env={"PYTHONPATH": str(packages)})
    names = sorted(path.name for path in folder.iterdir())
    return done, _Answer(done.code, done.out, (folder / "out").read_bytes(), names)


def _judge(report: Report, one: Hostile, done: Attempt, answer: _Answer, right: _Answer) -> None:
    check(report, done, one.name)
    if answer == right:
        return
    if one.is_right or answer.code != 4:
        report.found("wrong", f"{one.name}: not the right answer, nor refused: {done} {done.out[:200]!r}")
        return
    ours = [line for line in done.err.splitlines() if line.startswith(b"simil: ")]
    if len(ours) != 1 or done.err.splitlines()[-1:] != ours:
        report.found("tracebacks", f"{one.name}: not one line of ours, the last: {done}")
    if not right.out.startswith(done.out):
        report.found("wrong", f"{one.name}: printed as data: {done.out[:200]!r}")
    if answer.output != _OLD or answer.names != ["out", "texts.txt"]:
        report.found("lost", f"{one.name}: the old file is not as it was: {done} {answer.names}")


def _run_all(task: Task) -> None:
    every = [*hostile_plugins()]
    random.Random(task.seed).shuffle(every)
    # At least some of each kind: those that raise, that answer wrongly, that change the process.
    kinds = [
        [one for one in every if one.is_right],
        [one for one in every if one.name.startswith(("returns", "yields", "has"))],
        [one for one in every if not one.is_right and not one.name.startswith(("returns", "yields", "has"))],
    ]
    chosen = [one for kind in kinds for one in kind[: task.times(len(kind), 6)]]
    tame = task.folder / "tame"
    declare("odd", plugin(), tame)
    right = [_run(tame, task.folder / f"right{row}", command)[1] for row, command in enumerate(_COMMANDS)]

    def do(case: tuple[int, Hostile]) -> None:
        number, one = case
        packages, row = task.folder / f"packages{number}", number % len(_COMMANDS)
        declare("odd", one.code, packages)
        done, answer = _run(packages, task.folder / f"run{number}", _COMMANDS[row])
        _judge(task.report, one, done, answer, right[row])
        task.report.count("hostile folders and plug-ins")

    for_each(enumerate(chosen), do)


PART = Part("plugins", _run_all)
