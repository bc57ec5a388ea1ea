"""``manage.py trigger_sync``."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal


class TestTriggerSync:
    def test_syncs_here_and_tells_what_it_did(self, crm: Crm, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("trigger_sync", customer="acme-corp", source="salesforce", json=True)
        told = json.loads(capsys.readouterr().out)
        assert told["state"] == "succeeded"
        assert told["rows_read"] == sum(each["rows_read"] for each in told["objects"]) > 0
        assert_equal(crm)

    def test_that_fails_ends_with_1_and_the_reason(
        self, crm: Crm, capsys: pytest.CaptureFixture[str]
    ) -> None:
        crm.connect(secret="wrong")
        with pytest.raises(SystemExit) as ended:
            call_command("trigger_sync", customer="acme-corp", source="salesforce")
        assert ended.value.code == 1
        assert "client id and secret" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("customer", "source", "said"),
        [
            ("nobody", "salesforce", "There is no customer nobody"),
            ("acme-corp", "dynamics", "“dynamics” is not a CRM that can be read. Use one of: salesforce."),
            ("beta-inc", "salesforce", "has no credentials yet"),
        ],
    )
    def test_with_bad_input_ends_with_2_and_what_would_be_right(
        self, crm: Crm, capsys: pytest.CaptureFixture[str], customer: str, source: str, said: str
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            call_command("trigger_sync", customer=customer, source=source)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
