"""Makes a log as the services of a web shop write it: few messages, with times, ids and numbers in them.

python benchmarks/log_lines.py 50000 > app.log
simil outliers app.log --ignore '^\\S+ ' --ignore '0x[0-9a-f]+|[0-9a-f-]{36}' --ignore '\\d+(\\.\\d+)*'
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

__all__ = ["IGNORED", "RARE", "log_lines"]

IGNORED = (r"^\S+ ", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+", r"\d+(\.\d+)*")
"""What a person would ignore in these lines: the time, ids and addresses, and any other number."""

RARE = (
    "ERROR payments: card processor certificate expires tomorrow",
    "FATAL kernel: out of memory, killed process postgres ({number})",
    "WARN auth: root logged in from an address in no known network: {address}",
)
"""Messages of which there is one line each."""

_START = datetime(2024, 3, 1, tzinfo=UTC)
_SERVICES = ["gateway", "cart", "payments", "search", "mailer", "catalog", "auth", "images", "stock"]
_USERS = ["anna", "ben", "carla", "dmitri", "elif", "grace", "hugo", "ines", "kofi", "maya", "noor", "otto"]
_PATHS = ["products", "cart", "checkout", "account", "orders", "images", "search", "reviews", "status"]
_MESSAGES = (
    "INFO {service}: GET /{path}/{number} {number} in {number} ms",
    "INFO {service}: POST /{path} {number} in {number} ms",
    "INFO {service}: request {uuid} from {address} for user {user} done in {number} ms",
    "INFO {service}: user {user} logged in from {address}",
    "INFO {service}: user {user} logged out after {number} s",
    "INFO {service}: session {uuid} expired",
    "INFO {service}: order {number} of {user} paid, {number}.{number} EUR",
    "INFO {service}: order {number} shipped with parcel {uuid}",
    "INFO {service}: mail {uuid} to {user} queued",
    "INFO {service}: cache hit for /{path}/{number}",
    "DEBUG {service}: cache miss for /{path}/{number}, loaded in {number} ms",
    "DEBUG {service}: worker {number} is idle for {number} s",
    "DEBUG {service}: connection {hex} to the database returned to the pool",
    "DEBUG {service}: garbage collection freed {number} MB in {number} ms",
    "WARN {service}: slow query on {path}: {number} ms",
    "WARN {service}: retry {number} of request {uuid}",
    "WARN {service}: password of {user} is wrong, attempt {number}",
    "WARN {service}: disk is {number} % full",
    "ERROR {service}: timeout after {number} ms while loading /{path}/{number}",
    "ERROR {service}: no connection to {address}:{number}",
    "ERROR {service}: null pointer at {hex} in /{path}",
)


def log_lines(count: int, seed: int = 0) -> Iterator[str]:
    """Yield lines of a log, the same for the same seed; each of `RARE` is in one of them."""
    source = random.Random(seed)
    rare = dict(zip(source.sample(range(count), len(RARE)), RARE, strict=True)) if count > 100 else {}
    moment = _START
    for number in range(count):
        moment += timedelta(milliseconds=source.randrange(2000))
        message = rare.get(number) or source.choice(_MESSAGES)
        yield f"{moment.isoformat(timespec='milliseconds')} {_filled(message, source)}"


def _filled(message: str, source: random.Random) -> str:
    while "{number}" in message:
        message = message.replace("{number}", str(source.randrange(10_000)), 1)
    return message.format(
        service=source.choice(_SERVICES),
        user=source.choice(_USERS),
        path=source.choice(_PATHS),
        uuid=UUID(int=source.getrandbits(128)),
        hex=hex(source.getrandbits(32)),
        address=".".join(str(source.randrange(256)) for _ in range(4)),
    )


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in log_lines(int(sys.argv[1])))
