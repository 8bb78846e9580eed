"""The known names of models, and those that resemble a mistyped one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from simil.models.catalog import catalog

__all__ = ["close_matches", "did_you_mean", "known_names", "near_repository", "nearest_models"]

# The least similarity of two names, by difflib's ratio. Any two repositories have much in common, so theirs
# is higher. Names that are worse than the best match by more than `_MARGIN` are not suggested.
_NAME_CUTOFF, _REPOSITORY_CUTOFF, _MARGIN = 0.6, 0.88, 0.1
_MOST = 3


def known_names() -> list[str]:
    """Return the names of the catalog's models for `-m`, those behind an API with their prefix."""
    return [*(info.cli_name for info in catalog().values()), "openai"]


def did_you_mean(names: Iterable[str]) -> str:
    """Return a hint that suggests `names`, "" if there are none."""
    listed = " or ".join(names)
    return f"did you mean {listed}?" if listed else ""


def close_matches(name: str, known: Collection[str], cutoff: float = _NAME_CUTOFF) -> list[str]:
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


def nearest_models(name: str) -> list[str]:
    """Return up to three models of the catalog that `name` may have meant, by their names for `-m`."""
    cli_names = dict(_aliases())
    matches = close_matches(name.removeprefix("local:"), cli_names)
    return list(dict.fromkeys(cli_names[match] for match in matches))[:_MOST]


def near_repository(repo: str) -> list[str]:
    """Return the known repository that resembles `repo` most, in a list; none if `repo` is known."""
    known = [info.repo for info in catalog().values() if info.provider == "hub"]
    return [] if repo in known else close_matches(repo, known, _REPOSITORY_CUTOFF)[:1]


def _aliases() -> Iterator[tuple[str, str]]:
    """Yield every name that a model has anywhere, with its name for `-m`."""
    for info in catalog().values():
        for alias in (info.name, info.cli_name, info.repo, info.repo.rpartition("/")[2]):
            if alias:
                yield alias, info.cli_name
    yield "openai", "openai"
