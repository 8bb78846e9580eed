"""Parts of texts that say nothing of what they are about: times, numbers and ids in the lines of a log.

They are cut out of what a model reads, and stay in what is shown.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

from simil.errors import UsageError
from simil.texts.records import Pair, Text, is_blank

__all__ = ["check_patterns", "pair_without", "rest_of", "text_without"]


def check_patterns(patterns: Sequence[str]) -> None:
    """Raise `UsageError` for a pattern that is no regular expression of Python's."""
    for pattern in patterns:
        try:
            with warnings.catch_warnings():
                # About what a later Python will read otherwise.
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except re.error as exc:
            at = "" if exc.pos is None else f" at character {exc.pos + 1}"
            raise UsageError(
                f"--ignore cannot be '{pattern}': {exc.msg}{at}",
                hint="give a regular expression in Python's syntax",
            ) from exc
        except (OverflowError, RecursionError) as exc:
            raise UsageError(f"--ignore cannot be '{pattern}': it is too large", hint="shorten it") from exc


def rest_of(text: str, patterns: Sequence[str]) -> str:
    """Return `text` without what each pattern in turn matches.

    Where anything was cut out, white space shrinks to single spaces: the gaps say nothing either.
    """
    rest = text
    for pattern in patterns:
        rest = re.sub(pattern, "", rest)
    return text if rest == text else " ".join(rest.split())


def text_without(text: Text, patterns: Sequence[str]) -> Text | None:
    """Return `text`, to be embedded without what the patterns match; None if only white space is left."""
    rest = rest_of(text.text, patterns)
    return None if is_blank(rest) else text._replace(rest=rest)


def pair_without(pair: Pair, patterns: Sequence[str]) -> Pair | None:
    """Return what `text_without` does for both texts of a pair; None if only white space is left of one."""
    rests = rest_of(pair.left, patterns), rest_of(pair.right, patterns)
    return None if any(map(is_blank, rests)) else pair._replace(rests=rests)
