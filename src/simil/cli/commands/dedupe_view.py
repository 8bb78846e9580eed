"""Shows what is left or removed, or which texts repeat which: pairs or whole groups."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO

from simil.cli.output.annotated_rows import column_names, record_of, types_of, write_annotated
from simil.cli.output.cells import fit
from simil.cli.output.output_file import width
from simil.cli.output.rows import Row, fewer_digits, json_of, source_cells, write_rows
from simil.cli.output.terminal import console, escaped
from simil.formats.passthrough import joined
from simil.tasks.corpus import TextsOnDemand, content_of, place_of, texts_at

if TYPE_CHECKING:
    import numpy as np

    from simil.formats.passthrough import Frame
    from simil.tasks.deduplication import Duplicates
    from simil.texts import Text

__all__ = ["show_duplicates", "show_texts", "write_duplicates"]

log = logging.getLogger("simil")


def show_duplicates(found: Duplicates, show: str, form: str, stream: BinaryIO, *, model: str | None) -> None:
    """Write the pairs or the groups (`show`) of duplicates in a `form` that does not keep rows."""
    if form == "table":
        (_pairs_table if show == "pairs" else _groups_table)(found)
        return
    facts = {"model": model} if form == "json" else {}
    if show == "pairs":
        plain, rows = ["score", "place", "text", "kept_place", "kept_text"], _pairs(found, form)
    else:
        plain, rows = ["group", "score", "place", "text"], _members(found, form)
    write_rows(rows, form, stream, facts=facts, plain=plain)


def write_duplicates(
    found: Duplicates, show: str, form: str, stream: BinaryIO, *, types: Mapping[str, Any], several: bool
) -> None:
    """Write the rows of duplicates in pairs or groups (`show`), in a `form` that keeps rows.

    Fields have these `types`. If there are `several` files, rows name theirs.
    """
    if show == "pairs":
        rows, columns = _removed(found), ["score", "kept_id", "kept_text"]
    else:
        rows, columns = _grouped(found), ["group", "kept", "score"]
    write_annotated(
        ((record_of(text, saved=found.saved), {**cells, "file": text.origin.source}) for text, cells in rows),
        form,
        stream,
        fields=column_names(_sample(found, show), saved=found.saved),
        columns=[*columns, "file"] if several else columns,
        types=types_of(types, saved=found.saved),
        alike=isinstance(found.texts, TextsOnDemand),
    )


def _sample(found: Duplicates, show: str) -> Iterable[Text]:
    """Return texts that have all columns: each row of a dataset has the same."""
    if isinstance(found.texts, TextsOnDemand):
        return [*found.texts[:1], *found.reference[:1]]
    there = found.in_reference.nonzero()[0].tolist() if show == "groups" else []
    return chain(found.texts, map(found.representative_of, there))


def show_texts(
    texts: Sequence[Text],
    form: str,
    stream: BinaryIO,
    frame: Frame | None,
    *,
    nul: bool,
    whole: bool,
    types: Mapping[str, Any],
) -> None:
    """Write the records of texts in `form`; within `frame`, as they came, where they have one."""
    if frame is not None:
        stream.writelines(joined(frame, (text.raw for text in texts)))
    elif form == "text":
        end = "\0" if nul else "\n"
        # A file that is one text is listed by its name; the id of stdin is "-".
        names = (_name(text) if whole else text.text for text in texts)
        stream.writelines((name + end).encode("utf-8", "surrogateescape") for name in names)
        if not whole:
            _report_loss(texts, end)
    elif form == "jsonl":
        stream.writelines(json_of(_record(text)) + b"\n" for text in texts)
    elif form == "json":
        stream.write(b"[" + b",".join(b"\n" + json_of(_record(text)) for text in texts) + b"\n]\n")
    else:
        records = [{"fields": _record(text)} for text in texts]
        write_rows(records, form, stream, facts={}, types=types)
    stream.flush()


def _report_loss(texts: Sequence[Text], end: str) -> None:
    """Log how many texts a line each does not hold."""
    lost = sum(len(text.fields) > 1 or end in text.text for text in texts)
    if lost:
        log.warning(
            "%s other fields or line ends, which are lost in lines of text; -f jsonl keeps them",
            "1 text has" if lost == 1 else f"{lost:,} texts have",
        )


def _name(text: Text) -> str:
    return text.id if text.id == "-" else text.origin.source


def _record(text: Text) -> dict[str, object]:
    """Return the record as it was read; for plain text, the id and the text."""
    return {**text.fields} if text.fields else {"id": text.id, "text": text.text}


def _pairs(found: Duplicates, form: str) -> Iterator[Row]:
    rows = (~found.kept).nonzero()[0]
    both = zip(texts_at(found.texts, rows), found.representatives_of(rows), strict=True)
    for score, (text, owner) in zip(found.scores[rows], both, strict=True):
        pair: dict[str, object] = {
            "id": text.id,
            "score": score,
            **_facts(text, saved=found.saved),
        }
        pair |= {"kept_id": owner.id, "kept_text": owner.text}
        if form == "plain":
            pair["place"] = place_of(text, saved=found.saved)
            pair["kept_place"] = place_of(owner, saved=found.saved)
        yield pair


def _members(found: Duplicates, form: str) -> Iterator[Row]:
    for number, (owner, others) in enumerate(_groups(found), 1):
        members = [(owner, None, True), *((text, score, False) for text, score in others)]
        for text, score, kept in members:
            member: dict[str, object] = {"group": number, "id": text.id, "score": score}
            member |= {**_facts(text, saved=found.saved), "kept": kept}
            if form == "plain":
                member["place"] = place_of(text, saved=found.saved)
            yield member


def _groups(found: Duplicates) -> Iterator[tuple[Text, list[tuple[Text, np.float32]]]]:
    """Yield each text that has duplicates, and these with their scores, in the order of the first one."""
    groups: dict[tuple[bool, int], list[int]] = {}
    for row in (~found.kept).nonzero()[0].tolist():
        groups.setdefault((bool(found.in_reference[row]), int(found.representatives[row])), []).append(row)
    import numpy as np

    firsts = np.array([rows[0] for rows in groups.values()], np.int64)
    members = np.array([row for rows in groups.values() for row in rows], np.int64)
    texts = zip(texts_at(found.texts, members), found.scores[members], strict=True)
    for owner, rows in zip(found.representatives_of(firsts), groups.values(), strict=True):
        yield owner, [*islice(texts, len(rows))]


def _removed(found: Duplicates) -> Iterator[tuple[Text, Row]]:
    rows = (~found.kept).nonzero()[0]
    both = zip(texts_at(found.texts, rows), found.representatives_of(rows), strict=True)
    for score, (text, owner) in zip(found.scores[rows], both, strict=True):
        yield text, {"score": score, "kept_id": owner.id, "kept_text": owner.text or None}


def _grouped(found: Duplicates) -> Iterator[tuple[Text, Row]]:
    for number, (owner, others) in enumerate(_groups(found), 1):
        yield owner, {"group": number, "kept": True}
        for text, score in others:
            yield text, {"group": number, "kept": False, "score": score}


def _facts(text: Text, *, saved: bool) -> dict[str, object]:
    return {"text": text.text, **source_cells(text, saved=saved)}


def _pairs_table(found: Duplicates) -> None:
    terminal = console()
    room = max((width() - 11) // 2, 4)
    rows = (~found.kept).nonzero()[0]
    both = zip(texts_at(found.texts, rows), found.representatives_of(rows), strict=True)
    for score, texts in zip(found.scores[rows], both, strict=True):
        left, right = (fit(content_of(text), room) for text in texts)
        terminal.print(
            f"[bold]{fewer_digits(score)}[/bold]  {escaped(left)} │ {escaped(right.rstrip())}",
            highlight=False,
        )


def _groups_table(found: Duplicates) -> None:
    terminal = console()
    for number, (owner, others) in enumerate(_groups(found)):
        if number:
            terminal.print()
        name = escaped(fit(content_of(owner), width()).rstrip())
        terminal.print(f"[bold]{name}[/bold]", highlight=False)
        for text, score in others:
            shown = escaped(fit(content_of(text), max(width() - 10, 4)).rstrip())
            terminal.print(f"  {fewer_digits(score)}  {shown}", highlight=False)
