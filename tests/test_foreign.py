"""The boundary around plug-ins and models' libraries, in a program that imports simil."""

from __future__ import annotations

import pytest

import simil
from simil.errors import ModelDamaged, ModelError, Place, SimilError, UsageError
from simil.foreign import ForeignCode


class Panic(BaseException):
    """As Rust libraries raise, whose `__str__` fails, too."""

    def __str__(self) -> str:
        raise SystemExit(0)


class Fine(SimilError):
    """An error that would end the command well."""

    exit_code = 0


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (SystemExit(0), "x failed: SystemExit: 0"),
        (GeneratorExit(), "x failed: GeneratorExit"),
        (StopIteration(), "x failed: StopIteration"),
        (Panic(), "x failed: Panic"),
        (Fine("well"), "x failed: Fine: well"),
        (SimilError("no"), "x failed: SimilError: no"),
        (ModelError(Panic()), "x failed: ModelError"),  # type: ignore[arg-type]
        (Exception("by Rust"), "x failed: by Rust"),
        (ValueError("x" * 10_000), f"x failed: ValueError: {'x' * 500}…"),
    ],
)
def test_whatever_foreign_code_raises_is_a_model_error(raised: BaseException, said: str) -> None:
    with pytest.raises(ModelError) as found, ForeignCode("x failed"):
        raise raised
    assert str(found.value) == said
    assert found.value.__cause__ is raised


# Without signals of the command every `KeyboardInterrupt` is the program's own.
@pytest.mark.parametrize("raised", [UsageError("no"), MemoryError(), KeyboardInterrupt()])
def test_what_says_enough_by_itself_passes(raised: BaseException) -> None:
    with pytest.raises(type(raised)), ForeignCode("x failed"):
        raise raised


def test_the_error_says_where_and_what_to_do() -> None:
    with (
        pytest.raises(ModelDamaged, match=r"^f: is bad: KeyError: 1; mend it$"),
        ForeignCode("is bad", hint="mend it", place=Place("f"), error=ModelDamaged),
    ):
        raise KeyError(1)


def test_the_package_has_the_names_that_it_lists() -> None:
    assert {name for name in simil.__all__ if getattr(simil, name) is not None} == {*dir(simil)}
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        simil.nothing  # type: ignore[attr-defined]  # noqa: B018
