"""Limits how long a call may take in all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns; after `seconds` abandon it and raise TimeoutError.

    An HTTP client's timeout bounds each read, but neither their sum nor the look-up of the name.
    """
    import threading
    from concurrent.futures import Future

    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as exc:  # noqa: BLE001 - raised again in the waiting thread
            answer.set_exception(exc)

    threading.Thread(target=run, name="bounded", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError as exc:
        raise TimeoutError(f"no answer within {seconds:g} s") from exc
