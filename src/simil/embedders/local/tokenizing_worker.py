"""The program of a process that tokenizes for another one, until that closes the pipe or is gone."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from simil.embedders.local.text_encoder import TextEncoder
from simil.embedders.local.tokenizing_protocol import (
    read_block,
    read_request,
    write_answer,
    write_block,
    write_failure,
)

__all__: list[str] = []


def _serve() -> None:
    given = sys.stdin.buffer
    # What a library prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    encoder = TextEncoder.from_bytes(read_block(given))
    write_block(answers, os.fsencode(__file__))
    while True:
        prompt, texts = read_request(given)
        try:
            encoded = encoder.encode(prompt, texts)
        except Exception:  # noqa: BLE001 (the other process tokenizes these texts too, and raises it)
            write_failure(answers)
        else:
            write_answer(answers, encoded)


if __name__ == "__main__":
    with suppress(EOFError, OSError):
        _serve()
    os._exit(0)  # A stream may hold what nobody reads any more.
