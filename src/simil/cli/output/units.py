"""Sizes and prices as people read them."""

from __future__ import annotations

__all__ = ["dollars", "megabytes", "millions"]


def megabytes(size: int | None) -> str:
    """Return a number of bytes in kB, MB or GB (powers of 1000); "" for None."""
    if size is None:
        return ""
    if size >= 10**9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:,.0f} MB" if size >= 10**6 else f"{size / 1e3:,.0f} kB"


def millions(count: int | None) -> str:
    """Return a number of MB as `megabytes` does; "" for None."""
    return megabytes(None if count is None else count * 10**6)


def dollars(price: float | None) -> str:
    """Return a price in US dollars to the cent; "" for None."""
    return "" if price is None else f"{price:.2f}"
