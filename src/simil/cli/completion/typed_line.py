"""The command line as it has been typed so far, as words without quotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simil.frozen import Frozen

__all__ = ["AFTER", "BEFORE", "TypedLine", "typed_line"]

# The line up to the cursor and the rest of it. From bash it comes as it was typed, from the other shells as
# words without quotes, one per line; fish leaves those of the word at the cursor.
BEFORE, AFTER = "_SIMIL_COMPLETE_BEFORE", "_SIMIL_COMPLETE_AFTER"
# What ends a word; a file that is redirected is a word as any other.
_SPACE = " \t\n<>"
_ESCAPED_IN_QUOTES = '"\\$`\n'


class TypedLine(Frozen):
    """The words of a command line.

    Attributes:
        before: the words before the one at the cursor, behind the name of the program.
        word: the beginning of the word at the cursor.
        after: the words behind the cursor.
        quote: the quotation mark that has not been closed; empty for none.
        kept: how many characters at the beginning of `word` the shell keeps when it completes the word.
    """

    before: Sequence[str]
    word: str = ""
    after: Sequence[str] = ()
    quote: str = ""
    kept: int = 0


def typed_line(shell: str, environ: Mapping[str, str]) -> TypedLine:
    """Return the line that a shell hands over in the environment."""
    head, rest = environ.get(BEFORE, ""), environ.get(AFTER, "")
    if shell == "bash":
        after = _split(rest, "")
        line = _split(head, environ.get("COMP_WORDBREAKS", ""))
        return line.replaced(after=(*after.before, after.word), before=line.before[1:])
    *before, word = head.split("\n")
    if shell == "fish":
        word = _split(word, "").word
    return TypedLine(before[1:], word, rest.split("\n"))


def _split(line: str, breaks: str) -> TypedLine:
    """Split a line as bash does, which completes only what is behind the last of the `breaks` in a word."""
    words: list[str] = []
    word, quote, kept, escaped, begun = "", "", 0, False, False
    for character in line:
        if escaped:
            keeps_backslash = quote and character not in _ESCAPED_IN_QUOTES
            word, escaped = word + "\\" * bool(keeps_backslash) + character, False
        elif character == "\\" and quote != "'":
            escaped = begun = True
        elif character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote, kept, begun = character, len(word), True
        elif not quote and character in _SPACE:
            if begun:
                words.append(word)
            word, kept, begun = "", 0, False
        else:
            word, begun = word + character, True
            if not quote and character in breaks:
                kept = len(word)
    return TypedLine(words, word, quote=quote, kept=kept)
