from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2(Argon2PasswordHasher):
    """Argon2 with the least work it allows: the cast signs in hundreds of times."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
