"""Groups of options that commands share, each declared once and taken by a command as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, asdict, dataclass, fields, replace
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.config import Settings, load_settings
from simil.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from simil.texts import ReadOptions

__all__ = [
    "DatasetFlags",
    "EngineFlags",
    "InputFlags",
    "ModelFlags",
    "PairFlags",
    "RerankFlags",
    "RunFlags",
    "TextFlags",
    "expanded",
]


@dataclass(frozen=True, slots=True)
class EngineFlags:
    """How a model runs, whichever it is."""

    engine: opt.Engine = None
    device: opt.Device = None
    precision: opt.Precision = None
    threads: opt.Threads = None
    overflow: opt.OverflowPolicy = None
    dimensions: opt.Dimensions = None
    base_url: opt.BaseUrl = None
    concurrency: opt.Concurrency = None
    retries: opt.RetriesLimit = None
    offline: opt.Offline = False
    no_cache: opt.NoCache = False


@dataclass(frozen=True, slots=True)
class ModelFlags(EngineFlags):
    """Which model, and how it runs."""

    model: opt.Model = None

    @classmethod
    def of(cls, model: str | None, engine: EngineFlags) -> ModelFlags:
        """Return the flags of one of several models that run alike."""
        return cls(**asdict(engine), model=model)

    def settings(self, env_file: Path | None) -> Settings:
        """Return the settings of a run with these flags; errors as in `load_settings`."""
        return load_settings(
            model=self.model,
            engine=self.engine,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            overflow=self.overflow,
            offline=self.offline or None,
            base_url=self.base_url,
            concurrency=self.concurrency,
            retries=self.retries,
            env_file=env_file,
            cache=False if self.no_cache else None,
        )


@dataclass(frozen=True, slots=True)
class RerankFlags:
    """Which cross-encoder orders results, and how many of them."""

    rerank: opt.Rerank = None
    candidates: opt.Candidates = None

    def count(self, top_k: int | None) -> int | None:
        """Return how many results of a text are reranked, of which `top_k` are wanted; None for no reranker.

        Raises `UsageError` where the options contradict each other.
        """
        if self.rerank is None:
            if self.candidates is not None:
                raise UsageError("--candidates is for --rerank", hint="pass both, or leave it out")
            return None
        if self.candidates is None:
            from simil.tasks.reranking import CANDIDATES

            return max(CANDIDATES, top_k or 0)
        if top_k is not None and top_k > self.candidates:
            raise UsageError(
                f"-k {top_k} asks for more than --candidates {self.candidates}",
                hint="only candidates are results",
            )
        return self.candidates


@dataclass(frozen=True, slots=True)
class InputFlags:
    """How texts are read."""

    input_format: opt.InputFormatName = None
    field: opt.Fields = None
    id_field: opt.IdField = None
    no_header: opt.NoHeader = False
    delimiter: opt.Delimiter = None
    encoding: opt.Encoding = None
    sheet: opt.Sheet = None
    collection: opt.Collection = None
    nul: opt.Nul = False
    max_text_bytes: opt.MaxTextBytes = None
    on_error: opt.OnError = "fail"

    def options(self, *, whole: bool = False, all_fields: bool = False) -> ReadOptions:
        """Return them as the reader takes them; raises `UsageError` where they contradict each other."""
        return values.read_options(
            self.input_format,
            self.field,
            self.id_field,
            nul=self.nul,
            whole=whole,
            header=not self.no_header,
            delimiter=self.delimiter,
            encoding=self.encoding,
            sheet=self.sheet,
            collection=self.collection,
            max_text_bytes=self.max_text_bytes,
            all_fields=all_fields,
        )

    def beside(self, path: str, **more: bool) -> ReadOptions:
        """Return how a second file is read: by its name and content, else in the format of the first.

        `--field` is for it if it is given once; `more` is as for `options`.
        """
        from simil.formats.registry import suffix_format

        form = None if suffix_format(path) else self.input_format
        field = self.field if len(self.field or []) == 1 else None
        return replace(self, nul=False, input_format=form, field=field).options(**more)


@dataclass(frozen=True, slots=True)
class TextFlags(InputFlags):
    """How texts are read that the output has a vector for."""

    on_error: opt.OnErrorNull = "fail"


@dataclass(frozen=True, slots=True)
class PairFlags(InputFlags):
    """How texts or pairs are read that the output has scores for."""

    on_error: opt.OnErrorPairs = "fail"


@dataclass(frozen=True, slots=True)
class DatasetFlags(InputFlags):
    """How a dataset is read: every model has to embed all of it, so that results can be compared."""

    on_error: opt.OnErrorReading = "fail"


@dataclass(frozen=True, slots=True)
class RunFlags:
    """Where settings come from, how much to print, and for whom."""

    safe_csv: opt.SafeCsv = False
    env_file: opt.EnvFile = None
    quiet: opt.Quiet = False
    verbose: opt.Verbose = False


_GROUPS = (
    EngineFlags,
    ModelFlags,
    RerankFlags,
    InputFlags,
    TextFlags,
    PairFlags,
    DatasetFlags,
    RunFlags,
)


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options of each group that it takes as a parameter.

    Typer reads options from a function's signature, one parameter each: here a parameter of a group's
    type stands for all of the group's fields, which are gathered again when the command is called.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if hint in _GROUPS:
            groups[parameter.name] = hint
            parameters += _options_of(hint)
        else:
            parameters.append(
                parameter.replace(annotation=hint, kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
            )

    @wraps(command)
    def call(**given: Any) -> None:
        gathered = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **gathered)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


@cache
def _options_of(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    inherited = {name for base in group.__mro__[1:] for name in getattr(base, "__annotations__", ())}
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_default(field),
            annotation=hints[field.name],
        )
        # What a group adds to the one that it extends is shown first: the model before its engine.
        for field in sorted(fields(group), key=lambda field: bool(inherited) and field.name in inherited)
    ]


def _default(field: Field[Any]) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default
