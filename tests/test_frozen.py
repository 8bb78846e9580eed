"""`Frozen` is a frozen dataclass to those who use it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, fields, replace

import pytest

from simil.frozen import Frozen


class Model(Frozen):
    name: str
    dimensions: int | None = None


class Revision(Model):
    commit: str = "main"


class Vector(Frozen, eq=False):
    values: list[float]


ONE = Revision("a", 384, commit="b")


def test_values_are_given_by_place_or_name() -> None:
    assert (ONE.name, ONE.dimensions, ONE.commit) == ("a", 384, "b")
    assert repr(ONE) == "Revision(name='a', dimensions=384, commit='b')"
    assert repr(Model("a")) == "Model(name='a', dimensions=None)"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Model(dimensions=1),  # type: ignore[call-arg]
        lambda: Model("a", name="b"),  # type: ignore[misc]
        lambda: Model("a", size=1),  # type: ignore[call-arg]
        lambda: Model("a", 1, 2),  # type: ignore[call-arg]
    ],
    ids=["missing", "twice", "unknown", "too many"],
)
def test_values_that_do_not_fit_are_an_error(wrong: Callable[[], Model]) -> None:
    with pytest.raises(TypeError, match="Model takes name, dimensions"):
        wrong()


def test_nothing_changes() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'name'"):
        ONE.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'name'"):
        del ONE.name


def test_equal_values_are_equal() -> None:
    assert {ONE, Revision("a", 384, "b")} == {ONE}
    assert Revision("a", 384) != ONE
    assert Model("a") != Revision("a", None)
    assert Vector([1.0]) != Vector([1.0])


def test_dataclasses_knows_it() -> None:
    assert [field.name for field in fields(Revision)] == ["name", "dimensions", "commit"]
    assert replace(ONE, name="c") == ONE.replaced(name="c") == Revision("c", 384, "b")
    assert asdict(ONE) == ONE.by_name() == {"name": "a", "dimensions": 384, "commit": "b"}


def test_it_is_copied_and_pickled() -> None:
    assert copy.deepcopy(ONE) == pickle.loads(pickle.dumps(ONE)) == ONE
