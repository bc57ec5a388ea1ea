"""Every event is declared completely and told as a sentence."""

from __future__ import annotations

import dataclasses
import string

import pytest
from django.apps import apps
from django.utils.module_loading import autodiscover_modules

from audit.registry import AuditEvent, all_events, sentence_of

autodiscover_modules("events")


@pytest.mark.parametrize("event", all_events().values(), ids=lambda event: str(event.code))
class TestEveryEvent:
    def test_belongs_to_an_installed_app(self, event: type[AuditEvent]) -> None:
        assert event.code.split(".")[0] in apps.app_configs

    def test_tells_a_sentence_of_its_own_fields(self, event: type[AuditEvent]) -> None:
        fields = {field.name for field in dataclasses.fields(event)}
        named = {name.split(".")[0] for _, name, _, _ in string.Formatter().parse(event.sentence) if name}
        assert named <= fields

    def test_names_existing_fields_as_personal(self, event: type[AuditEvent]) -> None:
        assert event.personal <= {field.name for field in dataclasses.fields(event)}


def test_an_event_without_the_personal_data_rule_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="personal"):

        class Forgotten(AuditEvent):
            code = "tests.forgotten"
            target_kind = "test"
            sentence = "Forgotten"


def test_an_event_whose_class_is_gone_is_still_told() -> None:
    assert sentence_of("old.thing_done", {}, "x") == "old.thing_done"
