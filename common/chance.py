"""Chance is a function of a recorded seed: the same rule as `draw()` in SQL, for the check."""

import hashlib
import secrets
from uuid import UUID


def new_seed() -> bytes:
    """32 bytes nobody can foresee."""
    return secrets.token_bytes(32)


def draw(label: str, seed: bytes, task_id: UUID, n: int) -> int:
    """⌊u32(SHA-256(label ‖ seed ‖ task_id)) · n / 2³²⌋: each of 0 … n-1 equally likely."""
    digest = hashlib.sha256(label.encode() + seed + task_id.bytes).digest()
    return int.from_bytes(digest[:4], "big") * n >> 32
