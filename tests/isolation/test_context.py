"""A context is in force for its block and its transaction, and nowhere else; forgetting it fails loudly."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.http import StreamingHttpResponse

from accounts.models import User
from isolation import context
from isolation.actors import Actor, ActorKind
from isolation.errors import ContextMissing
from tenants.models import Member, Tenant

JOB = Actor.system("tests")


def names() -> set[str]:
    return set(Member.objects.values_list("name", flat=True))


@pytest.mark.django_db
class TestForgettingTheContext:
    def test_fails_in_plain_code(self) -> None:
        with (
            pytest.raises(ContextMissing, match="permission denied for table tenants_member"),
            transaction.atomic(),
        ):
            names()

    def test_fails_after_the_block_has_ended(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id):
            late = Member.objects.all()
        with pytest.raises(ContextMissing), transaction.atomic():
            list(late)

    def test_fails_in_a_streamed_response(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id):
            response = StreamingHttpResponse(str(member) for member in Member.objects.iterator())
        with pytest.raises(ContextMissing), transaction.atomic():
            b"".join(response)  # type: ignore[arg-type]  # the stubs cannot know that it is not async

    def test_fails_in_the_shell(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(ContextMissing), transaction.atomic():
            call_command(
                "shell",
                command="from tenants.models import Member; print(Member.objects.count())",
                verbosity=0,
            )

    def test_fails_with_a_role_alone(self) -> None:
        with (
            pytest.raises(Exception, match="no context is set"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("SET LOCAL ROLE tenant_wide")
            cursor.execute("SELECT count(*) FROM tenants_member")


class TestForgettingTheContextElsewhere:
    def test_fails_in_on_commit(self, committed: Any) -> None:
        del committed
        seen: list[Exception] = []

        def hook() -> None:
            try:
                names()
            except ContextMissing as error:
                seen.append(error)

        with context.platform("test", JOB):
            tenant = Tenant.objects.get(slug="acme-corp")
        with context.tenant_wide(tenant.id):
            transaction.on_commit(hook)
        assert len(seen) == 1

    def test_fails_in_another_thread(self, committed: Any) -> None:
        del committed
        seen: list[str] = []

        def elsewhere() -> None:
            try:
                names()
            except ContextMissing as error:
                seen.append(str(error))
            finally:
                connections.close_all()

        with context.platform("test", JOB):
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        assert len(seen) == 1


@pytest.mark.django_db
class TestAContext:
    def test_shows_one_tenants_rows_only(self, acme: Tenant, beta: Tenant) -> None:
        with context.tenant_wide(acme.id):
            of_acme = names()
        with context.tenant_wide(beta.id):
            of_beta = names()
        assert "Ada Admin" in of_acme
        assert "Stan Stranger" in of_beta
        assert not of_acme & of_beta

    def test_is_put_back_when_an_inner_one_ends(self, acme: Tenant, beta: Tenant) -> None:
        with context.tenant_wide(acme.id):
            with context.tenant_wide(beta.id):
                pass
            assert "Ada Admin" in names()

    def test_is_put_back_when_an_inner_one_fails(self, acme: Tenant, beta: Tenant) -> None:
        with context.tenant_wide(acme.id):
            with pytest.raises(RuntimeError), context.tenant_wide(beta.id):
                raise RuntimeError
            assert "Ada Admin" in names()

    def test_shows_a_person_the_own_memberships_only(self, rep: Member) -> None:
        with context.person(rep.user_id):
            assert names() == {"Rita Rep"}
            assert list(Tenant.objects.values_list("slug", flat=True)) == ["acme-corp"]

    def test_of_a_tenant_does_not_reach_accounts(self, acme: Tenant) -> None:
        with (
            pytest.raises(Exception, match="permission denied for table accounts_user"),
            context.tenant_wide(acme.id),
        ):
            User.objects.count()

    def test_of_the_platform_needs_a_reason_and_a_trusted_actor(self, rep: Member) -> None:
        person = Actor(kind=ActorKind.PERSON, label="rita@acme.test", tenant_id=rep.tenant_id)
        with pytest.raises(ValueError, match="reason"), context.platform(" ", JOB):
            pass
        with pytest.raises(PermissionError), context.platform("curiosity", person):
            pass

    def test_of_the_platform_is_on_record(self, acme: Tenant) -> None:
        from audit.models import PlatformEntry

        with context.platform("count the members", JOB):
            latest = PlatformEntry.objects.order_by("-id").first()
        assert latest is not None
        assert (latest.reason, latest.actor_label) == ("count the members", "tests")
