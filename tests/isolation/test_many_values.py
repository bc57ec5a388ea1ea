"""PostgreSQL takes 65,535 values a statement; writing more than that takes several, and nobody has to think of it."""

from __future__ import annotations

import pytest

from accounts.models import User
from isolation import context

pytestmark = pytest.mark.django_db
MANY = 9_000  # of nine columns each


def test_many_objects_are_written_changed_and_found_in_one_call() -> None:
    with context.accounts():
        people = User.objects.bulk_create(User(email=f"many{n}@acme.test", password="!") for n in range(MANY))
        for person in people:
            person.name = "One of many"
        assert User.objects.bulk_update(people, ["name", "is_active", "session_epoch", "is_operator"]) == MANY
        assert len(User.objects.in_bulk([person.pk for person in people])) == MANY
        assert User.objects.filter(name="One of many").count() == MANY
