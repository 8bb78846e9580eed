"""Sizes and prices for a person."""

from __future__ import annotations

__all__ = ["dollars", "megabytes", "millions"]


def megabytes(size: int | None) -> str:
    """Return bytes in MB (of 10^6), or GB from a thousand on; nothing for None."""
    if size is None:
        return ""
    if size >= 10**9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:,.0f} MB" if size >= 10**6 else f"{size / 1e3:,.0f} kB"


def millions(count: int | None) -> str:
    """Return so many MB as `megabytes` does."""
    return megabytes(None if count is None else count * 10**6)


def dollars(price: float | None) -> str:
    """Return a price in US dollars to the cent; nothing for None."""
    return "" if price is None else f"{price:.2f}"
