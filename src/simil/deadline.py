"""Waiting for a server no longer than one wants to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns; after `seconds` leave it to itself and raise TimeoutError.

    A timeout of the HTTP client bounds each read, not their sum, and not the look-up of the name.
    """
    import threading
    from concurrent.futures import Future

    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as exc:  # noqa: BLE001 - raised again in the thread that waits
            answer.set_exception(exc)

    threading.Thread(target=run, name="bounded", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError as exc:
        raise TimeoutError(f"no answer within {seconds:g} s") from exc
