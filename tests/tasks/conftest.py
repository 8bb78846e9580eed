"""Real texts in number: the docstrings of Python's own library, and their vectors."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

import simil
from simil.errors import Place
from simil.tasks.corpus import Corpus
from simil.texts import Text

_FOLDERS = {"site-packages", "test", "tests", "idlelib", "lib2to3"}


def _docstrings() -> Iterator[str]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if _FOLDERS & set(path.relative_to(root).parts):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node)
                if text and len(text.partition("\n")[0]) > 20:
                    yield text.partition("\n")[0]


@pytest.fixture(scope="session")
def docstrings() -> list[str]:
    """The first lines of 5,000 docstrings; some are the same."""
    found = [text for text, _ in zip(_docstrings(), range(5000), strict=False)]
    assert len(found) == 5000
    return found


@pytest.fixture(scope="session")
def docstring_vectors(docstrings: list[str], shared_cache: Path) -> Any:
    """Their vectors by the embedded model, float32 [5000, 384], read-only."""
    # Embedded once: whoever comes second finds them in the cache.
    with pytest.MonkeyPatch.context() as patch, FileLock(shared_cache / "docstrings.lock"):
        patch.setenv("SIMIL_CACHE_DIR", str(shared_cache))
        vectors = simil.embed(docstrings, model="minilm")
    vectors.setflags(write=False)
    return vectors


@pytest.fixture(scope="session")
def docstring_corpus(docstrings: list[str], docstring_vectors: Any) -> Corpus:
    """Both together, as a task takes them."""
    return corpus_of(docstrings, docstring_vectors)


def corpus_of(texts: list[str], vectors: Any) -> Corpus:
    """A corpus as if `texts` had been the lines of a file."""
    lines = [Text(str(row), text, Place("f.txt", row), {}) for row, text in enumerate(texts, 1)]
    return Corpus(lines, np.asarray(vectors, np.float32), "m@1")
