"""Items from a file: odd columns refuse the file, odd rows are told one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from isolation import context
from isolation.actors import Actor
from isolation.errors import Forbidden, InvalidInput
from operations.models import PriorityItem
from operations.services import NewItem, item_create
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tests.operations.conftest import DESK

pytestmark = pytest.mark.django_db

HEAD = "kind,subject,intent_confidence,sentiment_urgency,message_snippet,contact_name,contact_mobile,contact_email,created_at"
GOOD = "refund,Money back,0.9,0.4,Please,Usha,9812345678,usha@example.com,2026-01-31T12:00:00Z"


def _items(tenant: Tenant) -> list[PriorityItem]:
    with context.tenant_wide(tenant.id):
        return list(PriorityItem.objects.order_by("subject"))


def _import(path: Path, *lines: str, customer: str = "acme-corp", encoding: str = "utf-8") -> None:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    call_command("import_priority_items", str(path), customer=customer)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "items.csv"


class TestAGoodFile:
    def test_fills_the_queue(self, acme: Tenant, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        _import(file, HEAD, GOOD, "question,Where is it?,0.5,0.1,,,,,")
        assert [(i.kind, i.subject, i.contact_key) for i in _items(acme)] == [
            ("refund", "Money back", "usha@example.com"),
            ("question", "Where is it?", ""),
        ]
        assert capsys.readouterr().out == "2 items imported, 0 rows refused.\n"

    def test_may_leave_columns_out_and_begin_with_a_byte_order_mark(self, acme: Tenant, file: Path) -> None:
        _import(
            file,
            "subject,kind,sentiment_urgency,intent_confidence",
            "Für Uschi,other,1,0",
            encoding="utf-8-sig",
        )
        assert [i.subject for i in _items(acme)] == ["Für Uschi"]


class TestAnOddFile:
    @pytest.mark.parametrize(
        ("head", "sentence"),
        [
            ("kind,subject,intent_confidence", "the column sentiment_urgency is missing"),
            (f"{HEAD},colour", "the column “colour” is unknown"),
            (f"{HEAD},kind", "a column stands there twice"),
            ("", "the column"),
        ],
    )
    def test_is_refused_with_what_it_needs(self, acme: Tenant, file: Path, head: str, sentence: str) -> None:
        with pytest.raises(CommandError, match=sentence) as refusal:
            _import(file, head, GOOD)
        assert refusal.value.returncode == 2
        assert "It needs the columns kind, subject" in str(refusal.value)
        assert _items(acme) == []

    def test_that_is_empty_is_refused(self, acme: Tenant, file: Path) -> None:
        file.write_text("")
        with pytest.raises(CommandError, match="it is empty"):
            call_command("import_priority_items", str(file), customer="acme-corp")

    def test_in_another_encoding_is_refused(self, acme: Tenant, file: Path) -> None:
        with pytest.raises(CommandError, match="UTF-8"):
            _import(file, HEAD, GOOD.replace("Usha", "Uschä"), encoding="latin-1")

    def test_that_is_not_there_is_refused(self, acme: Tenant, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="No such file"):
            call_command("import_priority_items", str(tmp_path / "none.csv"), customer="acme-corp")

    def test_for_an_unknown_customer_is_refused(self, acme: Tenant, file: Path) -> None:
        with pytest.raises(CommandError, match="There is no customer nobody"):
            _import(file, HEAD, GOOD, customer="nobody")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "refund,Money,1.2,0.4,,,,,",
            "line 2, intent_confidence: intent_confidence is 1.2. Use a number from 0 to 1.",
        ),
        ("refund,Money,nan,0.4,,,,,", "line 2, intent_confidence: intent_confidence is nan."),
        ("refund,Money,high,0.4,,,,,", "line 2, intent_confidence: intent_confidence is “high”."),
        ("refund,Money,1,-0.1,,,,,", "line 2, sentiment_urgency: sentiment_urgency is -0.1."),
        ("party,Money,1,0,,,,,", "line 2, kind: “party” is not a kind. Use one of: complaint,"),
        ("refund, ,1,0,,,,,", "line 2, subject: The subject is empty."),
        (f"refund,{'x' * 201},1,0,,,,,", "line 2, subject: subject has 201 characters. Use at most 200."),
        ("refund,Money,1,0,,,,usha,", "line 2, contact_email: contact_email is not an e-mail address."),
        ("refund,Money,1,0,,,none,,", "line 2, contact_mobile: contact_mobile holds no digits."),
        ("refund,Money,1,0,,,,,yesterday", "line 2, created_at: created_at is “yesterday”."),
        (
            "refund,Money,1,0,,,,,2026-01-31T12:00:00",
            "line 2, created_at: created_at is “2026-01-31T12:00:00”.",
        ),
        ("refund,Money,1,0,,,,,2999-01-01T00:00:00Z", "line 2, created_at: created_at lies in the future."),
        ("refund,Money,1,0", "line 2, row: The row has more or fewer cells than the head."),
        ("refund,Money,1,0,,,,,,,", "line 2, row: The row has more or fewer cells than the head."),
    ],
)
def test_an_odd_row_is_told_and_the_rest_is_imported(
    acme: Tenant, file: Path, capsys: pytest.CaptureFixture[str], row: str, told: str
) -> None:
    with pytest.raises(CommandError) as refusal:
        _import(file, HEAD, row, GOOD)
    assert refusal.value.returncode == 1
    assert told in capsys.readouterr().err
    assert [i.subject for i in _items(acme)] == ["Money back"]


class TestCreatingOne:
    def test_needs_the_right_to_work_the_queue(self, acme: Tenant, rep: Member) -> None:
        item = NewItem(kind="refund", subject="x", intent_confidence=0, sentiment_urgency=0)
        with context.tenant_wide(acme.id), pytest.raises(Forbidden):
            item_create(tenant_id=acme.id, item=item, acting_user=actor_of(rep))

    def test_is_not_for_a_member_of_another_workspace(self, acme: Tenant, stranger: Member) -> None:
        item = NewItem(kind="refund", subject="x", intent_confidence=0, sentiment_urgency=0)
        with context.tenant_wide(acme.id), pytest.raises(Forbidden):
            item_create(tenant_id=acme.id, item=item, acting_user=actor_of(stranger))

    def test_checks_every_field(self, acme: Tenant) -> None:
        item = NewItem(kind="refund", subject="a\x00b", intent_confidence=0, sentiment_urgency=0)
        with context.tenant_wide(acme.id), pytest.raises(InvalidInput) as refusal:
            item_create(tenant_id=acme.id, item=item, acting_user=DESK)
        assert refusal.value.field == "subject"


def test_the_importing_hand_is_named(acme: Tenant, file: Path) -> None:
    from audit.models import Event

    _import(file, HEAD, GOOD)
    with context.tenant_wide(acme.id):
        event = Event.objects.get(code="operations.items_imported")
    assert event.actor_label == Actor.system("manage.import_priority_items").label
    assert event.facts == {"imported": 1, "rejected": 0}
