"""Whether a secret shows: as it is, percent-encoded or in base64, whole or in part."""

from __future__ import annotations

import base64
from urllib.parse import quote

__all__ = ["shown_pieces"]

_PIECE = 8


def shown_pieces(text: str, *secrets: str) -> list[str]:
    """Return what of `secrets` is found in `text`, in stretches of 8 characters of each of their forms.

    The base64 is taken behind prefixes of each length modulo 3, without what encodes the prefix.
    """
    text = text.casefold()
    found = []
    for secret in secrets:
        encoded = [
            base64.b64encode(prefix + secret.encode()).decode() for prefix in (b"", b":", b"Bearer sk")
        ]
        forms = [
            secret,
            quote(secret, safe=""),
            quote(quote(secret, safe="")),
            *(each[12:] for each in encoded),
        ]
        pieces = {each[start : start + _PIECE] for each in forms for start in range(len(each) - _PIECE + 1)}
        found += [piece for piece in sorted(pieces) if piece.casefold() in text]
    return found
