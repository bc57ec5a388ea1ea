"""django-guardian asked for rights. Argument: a file of [user, right] pairs. Its last line is JSON: microseconds of a check, and what an expired share says."""

from __future__ import annotations

import json
import os
import statistics
import sys
import timeit
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings

CHECKS = 300


def main(file: str) -> None:
    """Store the rights on one workspace, ask for some, print."""
    _set_up()
    from django.contrib.auth.models import Permission, User
    from django.contrib.contenttypes.models import ContentType
    from guardian.core import ObjectPermissionChecker
    from guardian.models import UserObjectPermission

    from benchmarks.peers.guardian_site.models import Workspace

    # A dot would end the name of the application.
    grants = [(user, code.replace(".", "_")) for user, code in json.loads(Path(file).read_text())]
    place, kind = Workspace.objects.create(), ContentType.objects.get_for_model(Workspace)
    names = sorted({code for _, code in grants})
    rights = {code: Permission.objects.create(content_type=kind, codename=code, name=code) for code in names}
    people = {name: User(username=name) for name in dict.fromkeys(user for user, _ in grants)}
    User.objects.bulk_create(people.values(), batch_size=5_000)
    UserObjectPermission.objects.bulk_create(
        (
            UserObjectPermission(
                permission=rights[code], content_type=kind, object_pk=str(place.pk), user=people[user]
            )
            for user, code in grants
        ),
        batch_size=5_000,
    )
    _analyze()
    asked = grants[:: max(1, len(grants) // CHECKS)]
    times, hot = [], []
    for name, code in asked:
        user, right = people[name], f"guardian_site.{code}"
        assert user.has_perm(right, place)
        times.append(timeit.timeit(lambda user=user, right=right: user.has_perm(right, place), number=1))
        checker = ObjectPermissionChecker(user)
        assert checker.has_perm(code, place)
        hot.append(
            timeit.timeit(lambda checker=checker, code=code: checker.has_perm(code, place), number=20) / 20
        )
    said = {
        "a check": statistics.median(times) * 1e6,
        "again with a checker that is kept": statistics.median(hot) * 1e6,
        "expired share says": _expired_share(),
    }
    print(json.dumps(said))


def _set_up() -> None:
    address = urlsplit(os.environ["DATABASE_ADMIN_URL"])
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes", "django.contrib.auth", "guardian", "benchmarks.peers.guardian_site",
        ],
        AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"],
        ANONYMOUS_USER_NAME=None, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
        DATABASES={"default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": address.path[1:], "USER": address.username,
            "PASSWORD": address.password, "HOST": address.hostname, "PORT": address.port,
        }},
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("migrate", run_syncdb=True, verbosity=0)  # now there is what our own tables point at


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _expired_share() -> bool:
    """What the checker says of a right whose end was a year ago."""
    from datetime import timedelta

    from django.contrib.auth.models import Permission, User
    from django.utils import timezone
    from guardian.shortcuts import assign_perm

    from benchmarks.peers.guardian_site.models import Deal, DealUserObjectPermission

    deal, user = Deal.objects.create(), User.objects.create(username="shared-with")
    assert Permission.objects.filter(codename="view_deal").exists()
    assign_perm("view_deal", user, deal)
    assert DealUserObjectPermission.objects.update(ends_at=timezone.now() - timedelta(days=365)) == 1
    return bool(User.objects.get(pk=user.pk).has_perm("guardian_site.view_deal", deal))


if __name__ == "__main__":
    main(sys.argv[1])
