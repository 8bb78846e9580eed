"""Ways to harm a file: its bits and blocks, lines and cells, numbers and encoding; and harmless changes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import re
import zipfile
from collections.abc import Callable

__all__ = ["HARMLESS", "MUTATIONS", "Mutation", "mutated"]

Mutation = Callable[[bytes, random.Random], bytes]

# What is put in at any place.
_PIECES = (
    b"\0",
    b"\0\0\0\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\r",
    b"\r\n",
    b"\n",
    b"\n\n\n",
    b"\xe2\x80\xa8",
    b"\x85",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\xff",
    b"\xc3",
    b"\xf4\x90\x80\x80",
    b"7" * 4301,
    b"[" * 3000,
    b'{"a":' * 3000,
    b'"',
    b'""',
    b"'",
    b"\\",
    b",",
    b"\t",
    b";",
    b"|",
    b"=1+1",
    b'=HYPERLINK("http://x")',
    b"@SUM(1)",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"\x1b]0;x\x07",
    b"\x7f",
    b"\x1a",
    b",,,,",
    b"," * 5000,
    b"null",
    b"{}",
    b"[]",
    b"}",
    b"]",
    b"{",
    b"NaN",
    b"sep=;\n",
    b"# ",
    b"<html>",
    b"PK\x03\x04",
    b"\x93NUMPY",
    b"PAR1",
)
_NUMBERS = (
    b"1e999",
    b"-1e999",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"-0",
    b"-0.0",
    b"5e-324",
    b"1e-46",
    b"1e-45",
    b"1e39",
    b"3.4028235e38",
    b"3.4028236e38",
    b"0x10",
    b"1_000",
    b"",
    b"null",
    b"true",
    b'"1"',
    b"[1]",
    b"+1",
    b".5",
    b"1.",
    b"01",
    b"9" * 4301,
    b"9223372036854775808",
    b"18446744073709551616",
    b"1" + b"0" * 400,
    b"\xd9\xa1",
)
_NAMES = (b"id", b"text", b"embedding", b"", b"model", b"ID", b" text", b"fields", b"d0", b"#1", b"score")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + round(max(len(data), 2) ** rng.random()))


def _flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set_bytes(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return (
        data[:start]
        + rng.choice((bytes(end - start), b"\xff" * (end - start), rng.randbytes(end - start)))
        + data[end:]
    )


def _delete(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _duplicate(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 3)) + data[end:]


def _swap_blocks(data: bytes, rng: random.Random) -> bytes:
    first, middle, last = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return data[:first] + data[middle:last] + data[first:middle] + data[last:]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _cut_end(data: bytes, rng: random.Random) -> bytes:
    return data[: max(0, len(data) - rng.randint(1, 8))]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.choice((0, len(data), rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:at] + rng.choice(_PIECES) + data[at:]


def _double(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice((b"", b"\n")) + data


def _wrapped(data: bytes, rng: random.Random) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data", data)
    return rng.choice((gzip.compress(data), bz2.compress(data), lzma.compress(data), packed.getvalue()))


def _recoded(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "ignore")
    encoding = rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252", "shift_jis"))
    return text.encode(encoding, "replace")


def _half_recoded(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "ignore")
    return _flip_bits(text.encode(rng.choice(("utf-16", "utf-32")), "replace"), rng)


def _number(data: bytes, rng: random.Random) -> bytes:
    found = [*_NUMBER.finditer(data)]
    if not found:
        return _insert(data, rng)
    chosen = rng.choice(found)
    return data[: chosen.start()] + rng.choice(_NUMBERS) + data[chosen.end() :]


def _lines(change: Callable[[list[bytes], random.Random], None]) -> Mutation:
    def mutate(data: bytes, rng: random.Random) -> bytes:
        lines = data.splitlines(keepends=True)
        if lines:
            change(lines, rng)
        return b"".join(lines)

    return mutate


def _repeat_line(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


def _drop_line(lines: list[bytes], rng: random.Random) -> None:
    del lines[rng.randrange(len(lines))]


def _swap_lines(lines: list[bytes], rng: random.Random) -> None:
    rng.shuffle(lines)


def _blank_line(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(
        rng.randrange(len(lines) + 1),
        rng.choice((b"\n", b"  \n", b"\t\n", b",\n", b'""\n', b"null\n", b"\r\n")),
    )


def _shift_row(lines: list[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    separator = b"\t" if b"\t" in lines[at] else b","
    cells = lines[at].split(separator)
    cells.insert(rng.randrange(len(cells) + 1), rng.choice((b"", b"x")))
    lines[at] = separator.join(cells)


def _drop_cell(lines: list[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    head, separator, rest = lines[at].partition(b"\t" if b"\t" in lines[at] else b",")
    lines[at] = rest if separator and rng.random() < 0.5 else head + b"\n"


def _rename(lines: list[bytes], rng: random.Random) -> None:
    words = re.split(rb"(\w+)", lines[0])
    if len(words) > 1:
        words[rng.randrange(1, len(words), 2)] = rng.choice(_NAMES)
    lines[0] = b"".join(words)


def _key(data: bytes, rng: random.Random) -> bytes:
    old, new = rng.choice(_NAMES[:3]), rng.choice(_NAMES)
    return data.replace(old, new, rng.choice((1, 1, -1)))


def _open_quote(lines: list[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    place = rng.choice((0, lines[at].rfind(b",") + 1, lines[at].rfind(b"\t") + 1))
    lines[at] = lines[at][:place] + b'"' + lines[at][place:]


def _line_ends(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r", b"\r\r\n", b"\n\r", b"\x0b", b"\x0c", b"\0")))


def _same_ids(data: bytes, rng: random.Random) -> bytes:
    numbers = [*_NUMBER.finditer(data)]
    if len(numbers) < 2:
        return data
    first, second = rng.sample(numbers, 2)
    return data[: second.start()] + first[0] + data[second.end() :]


MUTATIONS: dict[str, Mutation] = {
    "flip bits": _flip_bits,
    "set bytes": _set_bytes,
    "delete a block": _delete,
    "duplicate a block": _duplicate,
    "swap blocks": _swap_blocks,
    "truncate": _truncate,
    "cut the end": _cut_end,
    "insert a piece": _insert,
    "insert a piece again": _insert,
    "twice in one file": _double,
    "compressed": _wrapped,
    "in another encoding": _recoded,
    "in a damaged encoding": _half_recoded,
    "another number": _number,
    "another number again": _number,
    "repeat a line": _lines(_repeat_line),
    "drop a line": _lines(_drop_line),
    "shuffle lines": _lines(_swap_lines),
    "insert a blank line": _lines(_blank_line),
    "shift a row": _lines(_shift_row),
    "drop a cell": _lines(_drop_cell),
    "rename a column": _lines(_rename),
    "rename a key": _key,
    "open a quote": _lines(_open_quote),
    "other line ends": _line_ends,
    "the same number twice": _same_ids,
}


def _with_mark(data: bytes, rng: random.Random) -> bytes:
    return b"\xef\xbb\xbf" + data


def _windows_ends(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _without_last_end(data: bytes, rng: random.Random) -> bytes:
    return data.removesuffix(b"\n")


def _utf16(data: bytes, rng: random.Random) -> bytes:
    return data.decode().encode(rng.choice(("utf-16", "utf-32")))


# What means the same in every format of text.
HARMLESS: dict[str, Mutation] = {
    "a byte order mark": _with_mark,
    "ends of lines as on Windows": _windows_ends,
    "no end of the last line": _without_last_end,
    "UTF-16 or UTF-32": _utf16,
}


def mutated(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return a file with one to three mutations, and their names."""
    names = rng.choices([*MUTATIONS], k=rng.choice((1, 1, 1, 1, 2, 3)))
    for name in names:
        data = MUTATIONS[name](data, rng)
    return data, " + ".join(names)
