"""What a script with the `openai` SDK does: lines of a file to a .npy, some requests at a time."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openai


def main() -> None:
    """Embed the first lines of a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "model", "lines", "output"):
        parser.add_argument(name)
    for name in ("number", "size", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    lines = Path(given.lines).read_text("utf-8").splitlines()[: given.number]
    client = openai.OpenAI(base_url=given.url)

    def embedded(start: int) -> list[list[float]]:
        batch = lines[start : start + given.size]
        return [each.embedding for each in client.embeddings.create(model=given.model, input=batch).data]

    with ThreadPoolExecutor(given.threads) as pool:
        parts = [*pool.map(embedded, range(0, len(lines), given.size))]
    np.save(given.output, np.array([vector for part in parts for vector in part], np.float32))


if __name__ == "__main__":
    main()
