"""Starlette, uvicorn and Prometheus' client, which the extra [serve] installs."""

from __future__ import annotations

from simil.errors import ExtraMissing

__all__ = ["require_for_serving"]


def require_for_serving() -> None:
    """Import what serving needs; raises ExtraMissing without the extra."""
    try:
        import httptools  # noqa: F401
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as exc:
        raise ExtraMissing("simil serve needs an HTTP server, which is not installed", extra="serve") from exc
