"""What a wrong name may have meant: the names that are known here, and the nearest of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from simil.models.catalog import catalog

__all__ = ["did_you_mean", "known_names", "near_repository", "nearest", "nearest_models"]

# How alike two names are to be, by difflib's ratio: a slip or two in a short name, or in a repository's,
# much of which is alike in any two. What is less alike than the best by more than `_BEHIND` is not named.
_NAME, _REPOSITORY, _BEHIND = 0.6, 0.88, 0.1
_MOST = 3


def known_names() -> list[str]:
    """Return the short names of the catalog as they are written after `-m`, APIs with their prefix."""
    return [*(info.written for info in catalog().values()), "openai"]


def did_you_mean(near: Iterable[str]) -> str:
    """Return the question as a hint, nothing where there is nothing to ask."""
    named = " or ".join(near)
    return f"did you mean {named}?" if named else ""


def nearest(name: str, known: Collection[str], cutoff: float = _NAME) -> list[str]:
    """Return those of `known` that `name` may have meant, the best first; case does not count.

    Those that begin with all of `name`; else those that are alike letter by letter; else those that hold it.
    """
    lower = {one: one.lower() for one in known}
    begun = [one for one in known if lower[one].startswith(name.lower())] if len(name) > 1 else []
    near = begun or _alike(name.lower(), lower, cutoff)
    if not near and len(name) > 1:
        near = [one for one in known if name.lower() in lower[one]]
    return near


def _alike(name: str, lower: Mapping[str, str], cutoff: float) -> list[str]:
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(b=name, autojunk=False)
    rated = []
    for one, spelled in lower.items():
        matcher.set_seq1(spelled)
        if matcher.quick_ratio() >= cutoff:
            rated.append((matcher.ratio(), one))
    best = max((ratio for ratio, _ in rated), default=0.0)
    least = max(cutoff, best - _BEHIND)
    return [one for ratio, one in sorted(rated, key=lambda pair: -pair[0]) if ratio >= least]


def nearest_models(name: str) -> list[str]:
    """Return up to three models of the catalog that `name` may have meant, as they are written after `-m`."""
    written = dict(_spellings())
    near = nearest(name.removeprefix("local:"), written)
    return list(dict.fromkeys(written[one] for one in near))[:_MOST]


def near_repository(repo: str) -> list[str]:
    """Return the known repositories that `repo` is nearly, none where it is one of them."""
    known = [info.repo for info in catalog().values() if info.provider == "hub"]
    return [] if repo in known else nearest(repo, known, _REPOSITORY)[:1]


def _spellings() -> Iterator[tuple[str, str]]:
    """Yield each name by which a model goes somewhere, and how it is written here."""
    for info in catalog().values():
        yield info.name, info.written
        yield info.written, info.written
        if info.repo:
            yield info.repo, info.written
            yield info.repo.rpartition("/")[2], info.written
    yield "openai", "openai"
