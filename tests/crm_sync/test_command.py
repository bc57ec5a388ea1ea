"""``manage.py trigger_sync``."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

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
            (
                "acme-corp",
                "dynamics",
                "“dynamics” is not a CRM that can be read. Use one of: salesforce, hubspot.",
            ),
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

    def test_asks_for_a_comparison(self, crm: Crm, capsys: pytest.CaptureFixture[str]) -> None:
        call_command(
            "trigger_sync", customer="acme-corp", source="salesforce", check=True, no_wait=True, json=True
        )
        told = json.loads(capsys.readouterr().out)
        assert (told["kind"], told["state"]) == ("check", "queued")

    def test_of_two_kinds_at_once_is_refused(self) -> None:
        with pytest.raises(CommandError, match="not allowed with argument"):
            call_command("trigger_sync", "--customer=acme-corp", "--source=salesforce", "--full", "--check")


class TestTestCrmConnection:
    def test_tells_the_rights_object_by_object_and_the_calls(
        self, crm: Crm, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("test_crm_connection", customer="acme-corp", crm="salesforce", json=True)
        told = json.loads(capsys.readouterr().out)
        readable = {each["object"]: each["is_readable"] for each in told["objects"]}
        assert (readable["Opportunity"], readable["Account"]) == (True, True)
        assert told["calls_limit"] > told["calls_used"] >= 0
        assert "Signed in" in told["signed_in"]

    def test_says_it_in_words(self, crm: Crm, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("test_crm_connection", customer="acme-corp", crm="salesforce")
        said = capsys.readouterr().out
        assert "Opportunity" in said
        assert "calls of the day are used" in said

    def test_that_the_crm_refuses_ends_with_1_and_what_to_do(
        self, crm: Crm, capsys: pytest.CaptureFixture[str]
    ) -> None:
        crm.connect(secret="wrong-secret-value")
        with pytest.raises(SystemExit) as ended:
            call_command("test_crm_connection", customer="acme-corp", crm="salesforce")
        said = capsys.readouterr()
        assert ended.value.code == 1
        assert "Sign-in or rights: " in said.err
        assert "Check the address, the credentials" in said.err
        assert "wrong-secret-value" not in said.err + said.out

    @pytest.mark.parametrize(
        ("customer", "source", "said"),
        [
            ("nobody", "salesforce", "There is no customer nobody"),
            ("acme-corp", "dynamics", "Use one of: salesforce, hubspot."),
            ("acme-corp", "hubspot", "It is connected with Salesforce."),
            ("beta-inc", "salesforce", "has no credentials yet"),
        ],
    )
    def test_with_bad_input_ends_with_2(
        self, crm: Crm, capsys: pytest.CaptureFixture[str], customer: str, source: str, said: str
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            call_command("test_crm_connection", customer=customer, crm=source)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
