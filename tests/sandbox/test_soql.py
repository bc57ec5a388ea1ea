"""The query language."""

import pytest

from .conftest import Client


class TestConditions:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("StageName = 'closed won'", "IsWon = true"),
            ("IsClosed = true", "StageName IN ('Closed Won', 'Closed Lost')"),
            ("NOT IsClosed = true", "StageName NOT IN ('Closed Won', 'Closed Lost')"),
            ("StageName LIKE 'Closed%' AND NOT StageName LIKE '%_Lost'", "IsWon = TRUE"),
            (
                "(Amount >= 50000 OR Amount = null) AND IsClosed = false",
                "IsClosed = false AND NOT (Amount < 50000)",
            ),
            ("NextStep != 'Executive sponsor call'", "NOT NextStep = 'Executive sponsor call'"),
            ("Amount IN (null, 100)", "Amount = null OR Amount = 1e2"),
            ("CreatedDate >= 2001-01-01T00:00:00Z", "CreatedDate > 2001-01-01T05:30:00+05:30"),
            ("CloseDate < TODAY", "CloseDate <= YESTERDAY"),
            ("CloseDate = LAST_N_DAYS:30", "CloseDate <= TODAY AND CloseDate >= LAST_N_DAYS:30"),
            ("Owner.Title = 'Sales Manager'", "Owner.Title != null AND Owner.Title LIKE 'Sales Man%'"),
        ],
    )
    def test_two_ways_to_say_the_same_find_the_same(self, crm: Client, one: str, other: str) -> None:
        found = crm.count(f"Opportunity WHERE {one}")
        assert found == crm.count(f"Opportunity WHERE {other}")
        assert found > 0 or "100" in one

    def test_ids_of_15_and_18_characters_name_the_same_record(self, crm: Client) -> None:
        deal = crm.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        assert crm.values(f"SELECT Id FROM Opportunity WHERE Id = '{deal[:15]}'") == [deal]
        assert crm.values(f"SELECT Id FROM Opportunity WHERE Id IN ('{deal[:15]}', '{deal}')") == [deal]
        assert crm.values(f"SELECT Id FROM Opportunity WHERE Id = '{deal[:15].swapcase()}'") == []

    def test_quotes_in_strings_are_escaped_not_obeyed(self, crm: Client) -> None:
        assert crm.count(r"Opportunity WHERE NextStep = 'Send the \"final\" quote, then call'") > 0
        assert crm.count(r"Account WHERE Name = 'x\' OR Name != \''") == 0


class TestOrder:
    def test_rows_come_in_the_order_asked_nulls_where_asked(self, crm: Client) -> None:
        amounts = crm.values(
            "SELECT Amount FROM Opportunity ORDER BY Amount DESC NULLS LAST LIMIT 50 OFFSET 10"
        )
        assert amounts == sorted(amounts, reverse=True)
        assert len(amounts) == 50
        assert crm.values("SELECT Amount FROM Opportunity ORDER BY Amount LIMIT 1") == [None]


class TestFieldsFunction:
    def test_all_fields_come_with_a_limit(self, crm: Client) -> None:
        record = crm.records("SELECT FIELDS(ALL) FROM Account LIMIT 1")[0]
        assert {"Id", "BillingCity", "BillingAddress", "SystemModstamp"} <= set(record)
        assert crm.query("SELECT FIELDS(ALL) FROM Account").json()[0]["errorCode"] == "MALFORMED_QUERY"


class TestRefusals:
    @pytest.mark.parametrize(
        ("soql", "code", "words"),
        [
            ("SELECT Id FORM Account", "MALFORMED_QUERY", "unexpected token: 'FORM'"),
            ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
            ("SELECT Id FROM Account WHERE Name = 'x", "MALFORMED_QUERY", "no viable alternative"),
            (
                "SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
                "MALFORMED_QUERY",
                "unexpected token: 'OR'",
            ),
            ("SELECT Id FROM Account GROUP BY Name", "MALFORMED_QUERY", "unexpected token: 'GROUP'"),
            ("SELECT Id, Nmae FROM Account", "INVALID_FIELD", "No such column 'Nmae' on entity 'Account'"),
            ("SELECT Id, Owner.Nmae FROM Account", "INVALID_FIELD", "No such column 'Nmae' on entity 'User'"),
            ("SELECT Id, Boss.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Boss'"),
            ("SELECT Id, id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
            ("SELECT Id FROM Acount", "INVALID_TYPE", "sObject type 'Acount' is not supported"),
            (
                "SELECT Id FROM Opportunity WHERE Amount = '5'",
                "INVALID_FIELD",
                "must be of type double and should not be enclosed",
            ),
            (
                "SELECT Id FROM Opportunity WHERE CreatedDate > 2024-01-01",
                "INVALID_FIELD",
                "must be of type dateTime",
            ),
            (
                "SELECT Id FROM Opportunity WHERE CreatedDate > 2024-13-01T00:00:00Z",
                "MALFORMED_QUERY",
                "Invalid date/time",
            ),
            ("SELECT Id FROM Opportunity WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
            (
                "SELECT Id FROM Opportunity WHERE Amount LIKE '5%'",
                "INVALID_QUERY_FILTER_OPERATOR",
                "invalid operator",
            ),
            ("", "MALFORMED_QUERY", "A query string has to be specified"),
        ],
    )
    def test_salesforce_words_and_codes(self, crm: Client, soql: str, code: str, words: str) -> None:
        answer = crm.query(soql)
        assert answer.status_code == 400
        assert answer.json()[0]["errorCode"] == code
        assert words in answer.json()[0]["message"]
