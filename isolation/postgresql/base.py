"""Django's PostgreSQL backend, told of a limit that comes with binding values in the server: 65,535 of them a statement."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

from django.db.backends.postgresql import base, features, operations

MOST_VALUES = 2**16 - 1  # the protocol counts them in two bytes


class DatabaseFeatures(features.DatabaseFeatures):
    max_query_params = MOST_VALUES


class DatabaseOperations(operations.DatabaseOperations):
    """Writes of many objects go in as many statements as that takes."""

    def bulk_batch_size(self, fields: Sequence[Any], objs: Sized) -> int:
        """How many of ``objs`` fit into a statement; an update of many names the key again with each field, so two values a field."""
        return MOST_VALUES // (2 * len(fields)) if fields else len(objs)


class DatabaseWrapper(base.DatabaseWrapper):
    """What ``DATABASES`` names as its ``ENGINE``."""

    features_class = DatabaseFeatures
    ops_class = DatabaseOperations
