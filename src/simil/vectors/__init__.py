"""Vector files in and out: JSON as OpenAI returns it, JSON Lines, `.npy`, CSV, TSV, base64, Parquet, Arrow.

Every format gives back the float32 vectors that were written, bit for bit. In CSV and TSV a text that is
empty reads as none, and fields read as strings; in TSV tabs and line ends of texts are replaced.
"""

from simil.vectors.collect import VectorFile
from simil.vectors.raw_rows import as_they_came
from simil.vectors.sniff import as_vectors
from simil.vectors.vector_batch import VectorBatch
from simil.vectors.vector_files import open_writer, read_vectors
from simil.vectors.vector_formats import VectorFormat, format_of, sidecar_path
from simil.vectors.writer import VectorWriter

__all__ = [
    "VectorBatch",
    "VectorFile",
    "VectorFormat",
    "VectorWriter",
    "as_they_came",
    "as_vectors",
    "format_of",
    "open_writer",
    "read_vectors",
    "sidecar_path",
]
