"""Tokenizes many texts in other processes, while this one is busy with what a card computes.

Threads would share one interpreter, which then is busy making and freeing the objects that a tokenizer gives.
The processes are programs of their own that speak over pipes: nothing of the program that uses simil is
forked or run again, and they end when it does, however it ends.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import BinaryIO, cast

from simil.embedders.local.text_encoder import EncodedTexts, TextEncoder
from simil.embedders.local.tokenizing_protocol import read_answer, read_block, write_block, write_request
from simil.embedders.local.workers import Workers

__all__ = ["TokenizingProcesses", "text_blocks"]

log = logging.getLogger("simil")

_PROGRAM = "simil.embedders.local.tokenizing_worker"
# How many characters a run has seen when the processes are started: each takes a third of a second for that.
_MANY_CHARACTERS = 1 << 20
# What a process gets at once: enough to cost little per text, few enough that all processes get some.
_TEXTS, _CHARACTERS = 1024, 1 << 18
# Of rayon, of which each process would start a thread per core.
_ONE_THREAD = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}


class TokenizingProcesses:
    """Up to `count` processes that tokenize as `encoder` does; there are none before they are worth it.

    Until they are ready, and where one fails, texts are tokenized in this process.
    """

    def __init__(self, encoder: TextEncoder, count: int, *, many_characters: int = _MANY_CHARACTERS) -> None:
        """Start nothing before `many_characters` have come."""
        self._encoder = encoder
        self._count = count if can_start_processes() else 0
        self._waits_for = many_characters
        self._threads: Workers[tuple[str, Sequence[str], slice], tuple[slice, EncodedTexts]] | None = None
        self._lock = Lock()
        self._closed = False
        self._processes: set[_TokenizingProcess] = set()
        self._free: SimpleQueue[_TokenizingProcess] = SimpleQueue()
        self._starting: list[Thread] = []

    def encode(self, prompt: str, texts: Sequence[str]) -> EncodedTexts:
        """Return `prompt` + each text as tokens; see `TextEncoder.encode`."""
        self._waits_for -= sum(map(len, texts))
        if self._threads is None and self._count and self._waits_for <= 0:
            self._start()
        if self._threads is None:
            return self._encoder.encode(prompt, texts)
        blocks = [(prompt, texts, block) for block in text_blocks(texts, _TEXTS, _CHARACTERS)]
        encoded = sorted(self._threads.start(blocks), key=lambda done: done[0].start)
        return EncodedTexts.joined([part for _, part in encoded])

    def close(self) -> None:
        """End the processes; nobody may wait for `encode`."""
        with self._lock:
            self._closed = True
            processes, self._processes = self._processes, set()
        for process in processes:
            process.end()
        if self._threads is not None:
            self._threads.close()

    def wait_until_ready(self) -> list[int]:
        """Wait until the processes that were started can tokenize, and return their ids."""
        for thread in self._starting:
            thread.join()
        with self._lock:
            return [process.pid for process in self._processes]

    def _start(self) -> None:
        settings = self._encoder.to_bytes()
        for _ in range(self._count):
            self._starting.append(Thread(target=self._add_process, args=(settings,), daemon=True))
            self._starting[-1].start()
        self._threads = Workers(self._count, self._encode_block)

    def _add_process(self, settings: bytes) -> None:
        try:
            with self._lock:
                if self._closed:
                    return
                process = _TokenizingProcess()
                self._processes.add(process)
        except OSError as exc:
            log.info("no process to tokenize in can be started: %s", exc.strerror or exc)
            return
        if process.is_ready(settings):
            self._free.put(process)
        else:
            self._drop(process, "no process to tokenize in can be started: it")

    def _encode_block(self, given: tuple[str, Sequence[str], slice]) -> tuple[slice, EncodedTexts]:
        prompt, texts, block = given
        encoded = self._by_process(prompt, texts[block])
        # In this process the texts are tokenized again if a process failed on them, and an error is raised.
        return block, self._encoder.encode(prompt, texts[block]) if encoded is None else encoded

    def _by_process(self, prompt: str, texts: Sequence[str]) -> EncodedTexts | None:
        """Return the tokens by the process that is free; None if none is, or if it fails."""
        try:
            process = self._free.get_nowait()
        except Empty:
            return None
        try:
            encoded = process.encode(prompt, texts)
        except (OSError, EOFError, ValueError):
            self._drop(process, "texts are tokenized again: a process that does so")
            return None
        self._free.put(process)
        return encoded

    def _drop(self, process: _TokenizingProcess, what: str) -> None:
        with self._lock:
            if self._closed:
                return
            self._processes.discard(process)
        log.info("%s ended with %d", what, process.end())


class _TokenizingProcess:
    """A process that runs `tokenizing_worker.py`."""

    def __init__(self) -> None:
        """Start it; raises `OSError` if that fails."""
        # -P: modules in the current folder are a user's files. It gets no signals of the terminal.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._answers = (
            cast("BinaryIO", self._process.stdin),
            cast("BinaryIO", self._process.stdout),
        )
        self.pid = self._process.pid

    def is_ready(self, settings: bytes) -> bool:
        """Wait until it can tokenize; False if it cannot, or if it runs another simil."""
        with suppress(OSError, EOFError, ValueError):
            write_block(self._requests, settings)
            program = Path(os.fsdecode(read_block(self._answers)))
            return program.parent.samefile(Path(__file__).parent)
        return False

    def encode(self, prompt: str, texts: Sequence[str]) -> EncodedTexts | None:
        """Return the tokens, None if it cannot tokenize these texts.

        Raises `OSError`, `EOFError` or `ValueError` if it has ended.
        """
        write_request(self._requests, prompt, texts)
        return read_answer(self._answers)

    def end(self) -> int:
        """End it, and return its exit code."""
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._requests, self._answers):
            with suppress(OSError):  # What was not sent yet is lost.
                pipe.close()
        return code


def can_start_processes() -> bool:
    """Return whether Python can be started: where it is embedded, its executable is another program."""
    return Path(sys.executable or "").name.startswith(("python", "pypy")) and not hasattr(sys, "frozen")


def text_blocks(texts: Sequence[str], most: int, most_characters: int) -> Iterator[slice]:
    """Yield blocks of consecutive texts: up to `most`, or that hold `most_characters`, but at least one."""
    import numpy as np

    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    start = 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        fits = int(np.searchsorted(ends, before + most_characters, "right"))
        end = min(max(fits, start + 1), start + most, len(texts))
        yield slice(start, end)
        start = end
