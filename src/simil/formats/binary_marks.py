"""What the first bytes of binary files show."""

from __future__ import annotations

__all__ = [
    "ARROW_MAGIC",
    "NPY_MAGIC",
    "PARQUET_MAGIC",
    "SQLITE_MAGIC",
    "first_member",
    "is_npz",
    "is_safetensors",
    "may_be_cut",
]

NPY_MAGIC = b"\x93NUMPY"
PARQUET_MAGIC = b"PAR1"
ARROW_MAGIC = b"ARROW1"
SQLITE_MAGIC = b"SQLite format 3\0"
_ZIP_MAGIC = b"PK\3\4"
_MAGICS = (NPY_MAGIC, SQLITE_MAGIC, PARQUET_MAGIC, ARROW_MAGIC, _ZIP_MAGIC)
_ZIP_HEADER = 30  # bytes before the name of a member
_SIZE = 8  # bytes of the length of the header of a safetensors file
_LARGEST_HEADER = 100_000_000  # as its own library reads
_TEXT_AFTER = 4  # A shorter length leaves zeros, which no text holds.


def first_member(head: bytes) -> str:
    """The name of the first file in a ZIP archive that begins with `head`; empty for anything else."""
    if not head.startswith(_ZIP_MAGIC) or len(head) < _ZIP_HEADER:
        return ""
    size = int.from_bytes(head[26:28], "little")
    return head[_ZIP_HEADER : _ZIP_HEADER + size].decode("utf-8", "replace")


def is_npz(head: bytes) -> bool:
    """Whether a file that begins so is an archive of NumPy's arrays."""
    return first_member(head).endswith(".npy")


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins so is one of safetensors: the length of its header, then that in JSON."""
    return head[_SIZE : _SIZE + 1] == b"{" and 2 <= int.from_bytes(head[:_SIZE], "little") <= _LARGEST_HEADER


def may_be_cut(head: bytes) -> bool:
    """Whether only more bytes can tell of what kind a file is that begins so."""
    if head.startswith(_ZIP_MAGIC):
        size = int.from_bytes(head[26:28], "little")
        return len(head) < _ZIP_HEADER + size
    if any(len(head) < len(magic) and magic.startswith(head) for magic in _MAGICS):
        return True
    return len(head) <= _SIZE and b"\n" not in head and not head[_TEXT_AFTER:].strip(b"\0")
