"""The files that take longest are first, so that no process is left with one while the others are done."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
# Ten processor seconds and more, by `--durations`. One that is missing here costs some seconds of waiting.
_LONGEST = """
    cli/test_cases.py
    clusters/test_cluster_runs.py
    torture/test_short_forms.py
    clusters/test_interrupted_runs.py
    engines/test_precision.py
    measuring/test_benchmarks.py
    cli/test_search_datasets.py
    cli/test_openai_faults.py
    tasks/test_communities.py
    cli/test_read_once.py
    cli/test_cross_encoders.py
    engines/test_eval_engines.py
    cli/test_passed_back.py
    cli/test_larger_than_memory.py
    cli/test_openai_proofs.py
    cli/test_control_characters.py
    test_readme.py
    test_cookbook.py
    engines/test_reference.py
    cli/test_lance_kills.py
    runners/test_local_ray.py
    cli/test_parquet.py
    cli/test_eval.py
    tasks/test_projection.py
    cli/test_lance.py
    scorers/test_cross_encoders.py
    light/test_missing_libraries.py
    light/test_light_commands.py
    engines/test_exports.py
    cli/test_memory.py
    cli/test_signals.py
    cli/test_progress.py
    cli/test_plots.py
    vector_cache/test_hostile_use.py
    engines/test_architectures.py
    formats/test_formats.py
    vectors/test_vector_round_trip.py
    engines/test_chains.py
""".split()  # noqa: SIM905 (a name per line)
_RANKS = {_TESTS / name: rank for rank, name in enumerate(_LONGEST)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _RANKS.get(item.path, len(_RANKS)))
