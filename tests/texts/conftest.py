"""Reads sources and keeps all that comes out; streams that hand out their bytes in chosen pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.reading import opened

from simil.errors import InputError, Place
from simil.texts import Pair, ReadOptions, Text, read_pairs, read_texts


@dataclass
class Reading:
    items: list[Any] = field(default_factory=list)
    blanks: list[Place] = field(default_factory=list)
    errors: list[InputError] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [item.text for item in self.items]

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.items]


class Pieces:
    """A raw stream that gives one piece a read, whatever size is asked for, as a pipe does."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter([piece for piece in pieces if piece])

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


@pytest.fixture(scope="session")
def pieces() -> type[Pieces]:
    return Pieces


@pytest.fixture(scope="session")
def read() -> Callable[..., Reading]:
    """Reads texts; errors that need not end the reading are collected."""

    def reading(*sources: object, stdin: Any = None, **options: Any) -> Reading:
        done = Reading()
        how = ReadOptions(**options)
        stream = Pieces([stdin]) if isinstance(stdin, bytes) else stdin
        found = read_texts(
            opened(sources, how, stream), how, on_blank=done.blanks.append, on_error=done.errors.append
        )
        for text in found:
            assert isinstance(text, Text)
            done.items.append(text)
        return done

    return reading


@pytest.fixture(scope="session")
def pair_up() -> Callable[..., Reading]:
    """Reads pairs; errors that need not end the reading are collected."""

    def reading(source: object, *, stdin: bytes | None = None, **options: Any) -> Reading:
        done = Reading()
        how = ReadOptions(**options)
        (given,) = opened([source], how, None if stdin is None else Pieces([stdin]))
        found = read_pairs(given, how, on_blank=done.blanks.append, on_error=done.errors.append)
        for pair in found:
            assert isinstance(pair, Pair)
            done.items.append(pair)
        return done

    return reading
