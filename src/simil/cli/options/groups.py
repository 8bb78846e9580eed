"""Groups of options that commands share, each declared once and taken by a command as one value."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, get_type_hints

from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import REQUIRED, Parameter
from simil.config import Settings, load_settings
from simil.errors import UsageError
from simil.frozen import Frozen

if TYPE_CHECKING:
    from pathlib import Path

    from simil.session.inputs import OpenInput
    from simil.texts import ReadOptions
    from simil.texts.file_patterns import FilePatterns

__all__ = [
    "ClusterFlags",
    "DatasetFlags",
    "EngineFlags",
    "ExpandedCommand",
    "FolderFlags",
    "InputFlags",
    "ModelFlags",
    "PairFlags",
    "RerankFlags",
    "RunFlags",
    "StoredFlags",
    "TextFlags",
    "WordFlags",
    "expanded",
]


class EngineFlags(Frozen):
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
    batch_size: opt.BatchSize = None
    timeout: opt.Timeout = None
    tokenizer: opt.TokenizerName = None
    max_tokens: opt.MaxTokens = None
    trust_cache: opt.TrustCache = False
    offline: opt.Offline = False
    no_cache: opt.NoCache = False


class ModelFlags(EngineFlags):
    """Which model, and how it runs."""

    model: opt.Model = None

    @classmethod
    def of(cls, model: str | None, engine: EngineFlags) -> ModelFlags:
        """Return the flags of one of several models that run alike."""
        return cls(**engine.by_name(), model=model)

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
            batch_size=self.batch_size,
            timeout=self.timeout,
            tokenizer=self.tokenizer,
            max_tokens=self.max_tokens,
            trust_cache=self.trust_cache or None,
            env_file=env_file,
            cache=False if self.no_cache else None,
        )


class RerankFlags(Frozen):
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


class WordFlags(Frozen):
    """Whether words count, and in which language."""

    words: opt.Words = False
    hybrid: opt.Hybrid = False
    language: opt.WordLanguage = None

    @property
    def count(self) -> bool:
        """Whether words count at all."""
        return self.words or self.hybrid

    def check(self, threshold: float | None, *, exact: bool = False) -> None:
        """Raise `UsageError` where these options, or others beside them, make no sense.

        Also raises what `check_language` does.
        """
        if self.words and self.hybrid:
            raise UsageError("--words and --hybrid contradict each other", hint="pass one of them")
        if not self.count:
            if self.language is not None:
                raise UsageError(
                    "--language is for searching by words", hint="pass --hybrid, or leave it out"
                )
            return
        name = "--words" if self.words else "--hybrid"
        if threshold is not None:
            raise UsageError(
                f"--threshold is for cosines, and {name} does not order by them", hint="limit results by -k"
            )
        if exact and self.words:
            raise UsageError("--exact is for vectors, and --words reads none", hint="leave it out")
        from simil.index.word_tokens import DEFAULT_LANGUAGE, check_language

        check_language(self.language or DEFAULT_LANGUAGE)


class StoredFlags(Frozen):
    """How a dataset of vectors is searched."""

    exact: opt.Exact = False
    where: opt.Where = None
    recall: opt.Recall = False

    def check(self, opened: OpenInput) -> None:
        """Raise `UsageError` for an option that only datasets have, where there is none."""
        if self.where is not None and not opened.holds_stored:
            said = "--where is for vectors in Lance datasets, and no input has any"
            raise UsageError(said, hint="leave it out")


class InputFlags(Frozen):
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
    ignore: opt.Ignore = None
    on_error: opt.OnError = "fail"

    def options(
        self, *, whole: bool = False, all_fields: bool = False, all_rows: bool = False
    ) -> ReadOptions:
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
            ignored=self.ignore,
            all_rows=all_rows,
        )

    def beside(self, path: str, **more: bool) -> ReadOptions:
        """Return how a second file is read: by its name and content, else in the format of the first.

        `--field` is for it if it is given once; `more` is as for `options`.
        """
        from simil.formats.registry import suffix_format

        form = None if suffix_format(path) else self.input_format
        field = self.field if len(self.field or []) == 1 else None
        return self.replaced(nul=False, input_format=form, field=field).options(**more)


class FolderFlags(Frozen):
    """Which files of folders are read."""

    glob: opt.Globs = None
    type: opt.FileTypes = None
    type_list: opt.TypeList = False

    def patterns(self, *, recursive: bool) -> FilePatterns | None:
        """Return them as `files_in` takes them.

        Raises `UsageError` where no folders are read, and as `FilePatterns.of` does.
        """
        if not (self.glob or self.type):
            return None
        if not recursive:
            option = "--glob" if self.glob else "--type"
            raise UsageError(f"{option} selects files of folders, for -r", hint="pass -r, or leave it out")
        from simil.texts.file_patterns import FilePatterns

        return FilePatterns.of(self.glob or [], self.type or [])


class TextFlags(InputFlags):
    """How texts are read that the output has a vector for."""

    on_error: opt.OnErrorNull = "fail"


class PairFlags(InputFlags):
    """How texts or pairs are read that the output has scores for."""

    on_error: opt.OnErrorPairs = "fail"


class DatasetFlags(InputFlags):
    """How a dataset is read: every model has to embed all of it, so that results can be compared."""

    on_error: opt.OnErrorReading = "fail"


class ClusterFlags(Frozen):
    """Whether many machines work, and how many processes there are on them."""

    on: opt.On = None
    actors: opt.Actors = None
    cores_per_actor: opt.CoresPerActor = None

    def is_asked_for(self) -> bool:
        """Return whether they do; raises `UsageError` where other options say how without it."""
        if self.on is None and (self.actors or self.cores_per_actor):
            option = "--actors" if self.actors else "--cores-per-actor"
            raise UsageError(f"{option} is for --on ray", hint="pass both, or leave it out")
        return self.on is not None


class RunFlags(Frozen):
    """Where settings come from, how much to print, and for whom."""

    safe_csv: opt.SafeCsv = False
    env_file: opt.EnvFile = None
    quiet: opt.Quiet = False
    verbose: opt.Verbose = False


_GROUPS = (
    ClusterFlags,
    EngineFlags,
    ModelFlags,
    RerankFlags,
    StoredFlags,
    WordFlags,
    FolderFlags,
    InputFlags,
    TextFlags,
    PairFlags,
    DatasetFlags,
    RunFlags,
)


def expanded(command: Callable[..., None]) -> ExpandedCommand:
    """Give `command` the options of each group that it takes as a parameter.

    A parameter of a group's type stands for all of the group's fields, which are gathered again when the
    command is called.
    """
    return ExpandedCommand(command)


class ExpandedCommand:
    """A command by the name of its function, whose parameters are read where they are asked for."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    def __call__(self, **given: Any) -> None:
        gathered = {
            name: hint(**{field: given.pop(field) for field in hint.field_names})
            for name, hint in self._hints.items()
            if hint in _GROUPS
        }
        self._function(**given, **gathered)

    @property
    def parameters(self) -> list[Parameter]:
        """Its parameters in the order of its help, those of groups among them."""
        every: list[Parameter] = []
        defaults = _defaults(self._function)
        for name, hint in self._hints.items():
            own = Parameter(name, hint, defaults.get(name, REQUIRED))
            every += _options_of(hint) if hint in _GROUPS else [own]
        return every

    @cached_property
    def _hints(self) -> dict[str, Any]:
        hints = get_type_hints(self._function, include_extras=True)
        return {name: hint for name, hint in hints.items() if name != "return"}


def _defaults(function: Callable[..., None]) -> dict[str, Any]:
    """Return the default values of those parameters of a function that have one."""
    code, defaults = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    positional = zip(names[len(names) - len(defaults) :], defaults, strict=True)
    return dict(positional) | (function.__kwdefaults__ or {})


@cache
def _options_of(group: type[Frozen]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    inherited = {name for base in group.__mro__[1:] for name in getattr(base, "field_names", ())}
    return [
        Parameter(name, hints[name], getattr(group, name, REQUIRED))
        # What a group adds to the one that it extends is shown first: the model before its engine.
        for name in sorted(group.field_names, key=lambda name: bool(inherited) and name in inherited)
    ]
