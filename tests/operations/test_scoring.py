"""The score is the documented sum, and one statement gives it to every open item."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from isolation import context
from isolation.jobs import all_jobs
from operations.models import PriorityItem
from operations.scoring import DECAY_HORIZON, WEIGHTS, Factors, priority_score, time_decay, user_history
from operations.services import item_close, item_review
from tenants.models import Tenant
from tests.operations.conftest import DESK, NewItemMaker, again, score_all

share = st.floats(min_value=0, max_value=1)


class TestTheFormula:
    def test_has_the_documented_weights(self) -> None:
        assert WEIGHTS == {
            "intent_confidence": 40,
            "sentiment_urgency": 30,
            "time_decay": 20,
            "user_history": 10,
        }

    @pytest.mark.parametrize(
        ("factors", "score"),
        [
            ((0, 0, 0, 0), 0.0),
            ((1, 1, 1, 1), 100.0),
            ((1, 0, 0, 0), 40.0),
            ((0, 1, 0, 0), 30.0),
            ((0, 0, 1, 0), 20.0),
            ((0, 0, 0, 1), 10.0),
            ((0.8, 0.5, 0.25, 0.2), 32 + 15 + 5 + 2),
            ((0.125, 0.1, 0.05, 0.3), 12.0),
        ],
    )
    def test_by_hand(self, factors: tuple[float, float, float, float], score: float) -> None:
        assert priority_score(Factors(*factors)) == score

    @given(share, share, share, share)
    def test_stays_between_0_and_100(
        self, intent: float, sentiment: float, decay: float, history: float
    ) -> None:
        assert 0 <= priority_score(Factors(intent, sentiment, decay, history)) <= 100

    @given(share, share, share, share, share)
    def test_never_falls_when_a_factor_rises(
        self, a: float, b: float, intent: float, decay: float, history: float
    ) -> None:
        low, high = sorted((a, b))
        assert priority_score(Factors(intent, low, decay, history)) <= priority_score(
            Factors(intent, high, decay, history)
        )

    @pytest.mark.parametrize(
        ("hours", "decay"), [(-1, 0.0), (0, 0.0), (18, 0.25), (36, 0.5), (72, 1.0), (10_000, 1.0)]
    )
    def test_waiting_counts_evenly_up_to_three_days(self, hours: int, decay: float) -> None:
        assert time_decay(timedelta(hours=hours)) == decay

    @pytest.mark.parametrize(("items", "history"), [(0, 0.0), (1, 0.2), (5, 1.0), (50, 1.0)])
    def test_five_earlier_items_count_fully(self, items: int, history: float) -> None:
        assert user_history(items) == history


@pytest.mark.django_db
class TestTheJob:
    def test_gives_every_open_item_of_every_workspace_its_score(
        self, acme: Tenant, beta: Tenant, put: NewItemMaker
    ) -> None:
        mine, theirs = put(acme, age=timedelta(hours=36)), put(beta, intent_confidence=1, sentiment_urgency=1)
        assert score_all() == 2
        assert (again(mine).time_decay, again(mine).score) == (0.5, 32 + 15 + 10)
        assert again(theirs).score == 70

    @pytest.mark.parametrize("hours", [0, 1, 7, 35.9, 71.9, 72, 500])
    @pytest.mark.parametrize(("intent", "sentiment"), [(0, 0), (0.333, 0.777), (0.0125, 0.05), (1, 1)])
    def test_agrees_with_the_formula_in_python(
        self, acme: Tenant, put: NewItemMaker, hours: float, intent: float, sentiment: float
    ) -> None:
        item = put(acme, age=timedelta(hours=hours), intent_confidence=intent, sentiment_urgency=sentiment)
        score_all()
        scored = again(item)
        assert scored.time_decay == pytest.approx(min(hours / 72, 1), abs=0.001)
        factors = Factors(intent, sentiment, scored.time_decay, scored.user_history)
        assert scored.score == priority_score(factors)

    def test_counts_earlier_items_of_the_same_contact_closed_ones_too(
        self, acme: Tenant, put: NewItemMaker
    ) -> None:
        for days in (80, 40, 1):
            put(acme, age=timedelta(days=days), contact_email="Usha@Example.com")
        put(acme, age=timedelta(days=100))  # before the window
        put(acme, age=timedelta(days=2), contact_email="else@example.com")
        item = put(acme)
        with context.tenant_wide(acme.id):
            PriorityItem.objects.exclude(pk=item.pk).update(state="closed")
        score_all()
        assert again(item).user_history == pytest.approx(0.6)

    def test_knows_a_contact_without_address_by_the_digits_of_the_number(
        self, acme: Tenant, put: NewItemMaker
    ) -> None:
        put(acme, age=timedelta(days=1), contact_email="", contact_mobile="98123 45678")
        item = put(acme, contact_email="", contact_mobile="98123-45678")
        score_all()
        assert again(item).user_history == pytest.approx(0.2)

    def test_takes_nobody_without_contact_for_the_same_person(self, acme: Tenant, put: NewItemMaker) -> None:
        put(acme, age=timedelta(days=1), contact_email="", contact_mobile="")
        item = put(acme, contact_email="", contact_mobile="")
        score_all()
        assert again(item).user_history == 0

    def test_never_counts_another_workspaces_items(
        self, acme: Tenant, beta: Tenant, put: NewItemMaker
    ) -> None:
        put(beta, age=timedelta(days=1))
        item = put(acme)
        score_all()
        assert again(item).user_history == 0

    def test_leaves_reviewed_and_closed_items_alone(self, acme: Tenant, put: NewItemMaker) -> None:
        reviewed, closed = put(acme), put(acme)
        with context.tenant_wide(acme.id):
            item_review(item=reviewed, acting_user=DESK)
            item_close(item=closed, acting_user=DESK)
        assert score_all() == 0

    def test_writes_nothing_where_nothing_changed(self, acme: Tenant, put: NewItemMaker) -> None:
        put(acme, age=2 * DECAY_HORIZON)
        assert (score_all(), score_all()) == (1, 0)

    def test_is_one_statement(self, acme: Tenant, beta: Tenant, put: NewItemMaker) -> None:
        for tenant in (acme, acme, beta):
            put(tenant)
        with context.platform("score", DESK), CaptureQueriesContext(connection) as queries:
            from operations.scoring import score_open_items

            score_open_items()
        assert len(queries) == 1

    def test_runs_every_minute(self) -> None:
        assert all_jobs()["operations.score"].every == timedelta(minutes=1)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_the_database_refuses_a_factor_outside_0_and_1(acme: Tenant, put: NewItemMaker, value: float) -> None:
    item = put(acme)
    with context.tenant_wide(acme.id), pytest.raises(IntegrityError), transaction.atomic():
        PriorityItem.objects.filter(pk=item.pk).update(intent_confidence=value)
