"""The names that a mistyped one may stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

__all__ = ["close_matches", "did_you_mean", "name_one_with"]

# The least similarity of two names, by difflib's ratio. Names that are worse than the best match by more than
# `_MARGIN` are not suggested.
_CUTOFF, _MARGIN = 0.6, 0.1


def did_you_mean(names: Iterable[str]) -> str:
    """Return a hint that suggests `names`, "" if there are none."""
    listed = " or ".join(names)
    return f"did you mean {listed}?" if listed else ""


def name_one_with(option: str, wanted: str, known: Collection[str]) -> str:
    """Return a hint to name one of `known` with an option, the nearest to `wanted` if one is near."""
    from shlex import quote

    near = close_matches(wanted, known)[:1]
    return did_you_mean(f"{option} {quote(name)}" for name in near) or f"name one with {option}"


def close_matches(name: str, known: Collection[str], cutoff: float = _CUTOFF) -> list[str]:
    """Return those of `known` that `name` may have meant, best first, ignoring case.

    These are the names that begin with `name`; if none does, those that are similar letter by letter; if
    none is, those that contain it.
    """
    lower = {other: other.lower() for other in known}
    prefixed = [other for other in known if lower[other].startswith(name.lower())] if len(name) > 1 else []
    matches = prefixed or _similar(name.lower(), lower, cutoff)
    if not matches and len(name) > 1:
        matches = [other for other in known if name.lower() in lower[other]]
    return matches


def _similar(name: str, lower: Mapping[str, str], cutoff: float) -> list[str]:
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(b=name, autojunk=False)
    rated = []
    for other, lowered in lower.items():
        matcher.set_seq1(lowered)
        if matcher.quick_ratio() >= cutoff:
            rated.append((matcher.ratio(), other))
    best = max((ratio for ratio, _ in rated), default=0.0)
    least = max(cutoff, best - _MARGIN)
    return [other for ratio, other in sorted(rated, key=lambda pair: -pair[0]) if ratio >= least]
