"""A server on loopback that speaks S3: moto's, in a process of its own.

    with s3_server() as s3:
        bucket = s3.new_bucket()
        simil("embed", "texts.txt", "-o", f"s3://{bucket}/vectors.parquet", env=s3.env)

What it holds is in its memory, and gone when the block ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

__all__ = ["S3Server", "s3_server"]

_REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and what it holds. Bucket names are not used twice, as in S3."""

    ACCESS_KEY: ClassVar[str] = "AKIAMADEUPFORTESTS00"
    SECRET_KEY: ClassVar[str] = "made/up/for/tests/and/never/to/be/printed"

    url: str
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def env(self) -> Mapping[str, str]:
        """What a process of simil needs: the variables that pyarrow and Lance know, as they name them."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": self.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.SECRET_KEY,
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
            # No other place is asked for keys: the machine's metadata would be a host on a network.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def files(self) -> S3FileSystem:
        """pyarrow's own way to it, which needs none of the variables: to see what is there."""
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            access_key=self.ACCESS_KEY,
            secret_key=self.SECRET_KEY,
            endpoint_override=self.url,
            region=_REGION,
            allow_bucket_creation=True,
        )

    def new_bucket(self) -> str:
        """Create an empty bucket and return its name."""
        name = f"bucket-{next(self._numbers)}"
        self.files.create_dir(name)
        return name

    def put(self, path: str, data: bytes) -> None:
        """Store an object at `BUCKET/KEY`."""
        with self.files.open_output_stream(path) as stream:
            stream.write(data)

    def get(self, path: str) -> bytes:
        """Return the object at `BUCKET/KEY`."""
        with self.files.open_input_stream(path) as stream:
            return bytes(stream.read())

    def names(self, path: str) -> list[str]:
        """Return `BUCKET/KEY` of all objects below a bucket or a key, sorted."""
        from pyarrow.fs import FileSelector, FileType

        below = self.files.get_file_info(FileSelector(path, recursive=True))
        return sorted(info.path for info in below if info.type == FileType.File)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start a server on a free port; it ends with the block, and with the tests if these are killed."""
    command = [sys.executable, str(Path(__file__).resolve())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        yield S3Server(**json.loads(process.stdout.readline()))


def _serve() -> None:
    """Print the address and serve until stdin ends."""
    from moto.server import ThreadedMotoServer

    server: Any = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    sys.path.pop(0)
    _serve()
