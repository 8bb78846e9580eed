"""Vector files in and out: JSON as OpenAI returns it, JSON Lines, `.npy`, CSV, TSV, base64, Parquet, Arrow.

Every format gives back the float32 vectors that were written, bit for bit. In CSV and TSV a text that is
empty reads as none, and fields read as strings; in TSV tabs and line ends of texts are replaced.

What recognizes, reads and writes files is in `sniff` and `vector_files`, and imported where it is needed.
"""

from simil.vectors.collect import VectorFile
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.vector_formats import VectorFormat, format_of, sidecar_path

__all__ = [
    "VectorBatch",
    "VectorFile",
    "VectorFormat",
    "format_of",
    "sidecar_path",
]
