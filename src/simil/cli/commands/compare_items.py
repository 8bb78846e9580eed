"""What `simil compare` compares: texts on the command line, files, folders, and standard input."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simil.cli.options import values
from simil.errors import InputError, Place, UsageError
from simil.frozen import Frozen

if TYPE_CHECKING:
    from simil.cli.options.groups import InputFlags
    from simil.session.session import Session
    from simil.tasks.comparison import Item
    from simil.texts import ReadOptions
    from simil.vectors import VectorFile

__all__ = ["GivenTexts", "items_of"]

log = logging.getLogger("simil")


class GivenTexts(Frozen):
    """What the command line names.

    Attributes:
        arguments: texts, where "-" is stdin; beside `files`, names of files if all of them are.
        texts: texts whatever they look like.
        files: files, folders of files and patterns of their names; each file is one text.
    """

    arguments: Sequence[str]
    texts: Sequence[str]
    files: Sequence[str]

    @property
    def named_files(self) -> Sequence[str] | None:
        """What was read if all of it was files and stdin, None if texts were given."""
        return self.files if not self.texts and set(self.arguments) <= {"-"} else None

    def as_files(self) -> GivenTexts:
        """Return them with the arguments as files, stdin if there is none at all."""
        files = [*self.files, *self.arguments]
        return self.replaced(arguments=[], files=files or ([] if self.texts else ["-"]))


def items_of(session: Session, given: GivenTexts, reading: InputFlags) -> Iterator[Item]:
    """Yield what is to be compared, in the order given, files last.

    Raises `UsageError` for stdin given twice, `InputError` for what cannot be read or holds no text.
    """
    if reading != type(reading)():
        reading.options()  # What contradicts itself does so beside texts of the command line, too.
    arguments, more_files = _told_apart(given)
    if arguments.count("-") > 1:
        raise UsageError("- stands for stdin and can be given once")
    for number, text in enumerate([*arguments, *given.texts], 1):
        if text == "-" and number <= len(arguments):
            yield from _stdin_items(session, reading.options())
        else:
            yield from _text_items(text, number, reading.ignore)
    is_alone = len(given.files) == 1 and not (arguments or given.texts or more_files)
    for path in [*_files_of(given.files), *more_files]:
        if Path(path).is_dir():
            yield from _folder_items(session, path, reading.options(), is_alone=is_alone)
        else:
            yield from _file_items(session, path, reading.options())


def _told_apart(given: GivenTexts) -> tuple[Sequence[str], Sequence[str]]:
    """Return the arguments that are texts, and those that are files since a shell expanded a pattern."""
    if not (given.arguments or given.texts or given.files):
        return ["-"], []
    named = [text for text in given.arguments if os.path.exists(text)]  # noqa: PTH110 (as in `_is_file`)
    if not named:
        return given.arguments, []
    if given.files and len(named) == len(given.arguments):
        also = "1 more argument is a file" if len(named) == 1 else f"{len(named)} more arguments are files"
        log.warning("%s, compared by content as with --file; --text TEXT is always a text", also)
        return [], named
    if len(named) == 1:
        log.warning("%s is compared as a text; --file %s compares its content", named[0], named[0])
    else:
        log.warning(
            "%d arguments are names of files, and are compared as texts; --file compares their content",
            len(named),
        )
    return given.arguments, []


def _is_file(text: str) -> bool:
    return os.path.isfile(text)  # noqa: PTH113 (Path raises for a text too long to be a name)


def _files_of(names: Iterable[str]) -> Iterator[str]:
    """Yield the files and folders that `names` stand for: those of a pattern in the order of their names."""
    for name in names:
        import glob

        if not glob.has_magic(name) or Path(name).exists():
            yield name
            continue
        # Path.glob takes no absolute pattern.
        files = sorted(filter(_is_file, glob.glob(name, recursive=True)))  # noqa: PTH207
        if not files:
            hint = "name files, or a folder of them"
            raise InputError("there is no such file", hint=hint, place=Place(name))
        yield from files


def _text_items(text: str, number: int, ignored: Sequence[str] | None) -> Iterator[Item]:
    from simil.tasks.comparison import Item

    (given,) = values.given([text], "text", values.refuse_blank, first=number, ignored=ignored)
    yield Item(given.text, given)


def _stdin_items(session: Session, reading: ReadOptions) -> Iterator[Item]:
    from simil.tasks.comparison import Item

    opened = session.open(["-"], reading)
    if opened.holds_vectors:
        yield from _vectors_of(opened.vector_files())
        return
    for text in session.texts(opened):
        yield Item(text.text, text)


def _file_items(session: Session, path: str, reading: ReadOptions) -> Iterator[Item]:
    """Yield a file as one text, or the vectors in it."""
    from simil.cli.commands.folder_texts import as_one_text, is_json, open_file
    from simil.tasks.comparison import Item

    opened = open_file(session, path, reading)
    if opened.holds_vectors:
        yield from _vectors_of(opened.vector_files())
        return
    if is_json(opened):
        raise InputError(
            "is JSON without vectors, not prose",
            hint="--input-format text compares it as it is written",
            place=Place(path),
        )
    (text,) = as_one_text(opened).texts(values.refuse_blank)
    yield Item(text.id, text)


def _folder_items(session: Session, folder: str, reading: ReadOptions, *, is_alone: bool) -> Iterator[Item]:
    """Yield each text file below a folder as one text; reports the others.

    If nothing but the folder `is_alone` compared, the names are those in it.
    """
    from dataclasses import replace

    from simil.cli.commands.folder_texts import as_one_text, no_text_in, open_file, text_files
    from simil.cli.output.notes import LeftOutFiles
    from simil.tasks.comparison import Item

    left_out = LeftOutFiles(reading.encoding)
    is_empty = True
    for path in text_files(session, folder, reading, left_out):
        opened = replace(open_file(session, path, reading, in_folder=True), on_broken=left_out.add_broken)
        for text in session.texts(as_one_text(opened)):
            is_empty = False
            yield Item(os.path.relpath(path, folder) if is_alone else path, text)
    left_out.report()
    if is_empty:
        raise no_text_in(folder)


def _vectors_of(files: Sequence[VectorFile]) -> Iterator[Item]:
    from simil.tasks.comparison import Item

    for file in files:
        for row, vector in enumerate(file.vectors):
            yield Item(file.texts[row] or file.ids[row], None, vector, file.model, file.ids[row])
