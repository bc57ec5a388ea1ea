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
            (
                "SELECT Id FROM Account GROUP BY Name",
                "MALFORMED_QUERY",
                "Field must be grouped or aggregated: Id",
            ),
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


class TestGroups:
    def test_counts_and_sums_are_those_of_the_rows(self, crm: Client) -> None:
        rows = [row for row in crm.snapshot("Opportunity") if row["StageName"] == "Proposal"]
        amounts = [float(row["Amount"]) for row in rows if row["Amount"]]
        soql = (
            "SELECT COUNT(Id), COUNT(Amount) priced, COUNT_DISTINCT(OwnerId), SUM(Amount) total, MIN(Amount), MAX(Amount), "
            "AVG(Amount), MAX(SystemModstamp) FROM Opportunity WHERE StageName = 'Proposal'"
        )
        answer = crm.query(soql).json()
        assert (answer["totalSize"], answer["done"]) == (1, True)
        record = answer["records"][0]
        assert record.pop("attributes") == {"type": "AggregateResult"}
        assert record.pop("expr4") == pytest.approx(sum(amounts) / len(amounts))
        assert record == {
            "expr0": len(rows), "priced": len(amounts), "expr1": len({row["OwnerId"] for row in rows}), "total": sum(amounts),
            "expr2": min(amounts), "expr3": max(amounts),
            "expr5": max(row["SystemModstamp"] for row in rows).replace("Z", "+0000"),
        }  # fmt: skip

    def test_groups_by_fields_of_the_record_above_and_by_parts_of_dates(self, crm: Client) -> None:
        soql = (
            "SELECT Account.Industry, CALENDAR_YEAR(CloseDate) year, COUNT(Id) FROM Opportunity "
            "GROUP BY Account.Industry, CALENDAR_YEAR(CloseDate) ORDER BY COUNT(Id) DESC"
        )
        found = crm.records(soql)
        assert set(found[0]) == {"Industry", "year", "expr0"}
        assert isinstance(found[0]["year"], int)
        assert sum(group["expr0"] for group in found) == crm.count("Opportunity")
        assert [group["expr0"] for group in found] == sorted(
            (group["expr0"] for group in found), reverse=True
        )

    def test_days_of_moments_group_as_dates(self, crm: Client) -> None:
        found = crm.records(
            "SELECT DAY_ONLY(CreatedDate) day, COUNT(Id) n FROM Account GROUP BY DAY_ONLY(CreatedDate)"
        )
        for group in found[:5]:
            assert crm.count(f"Account WHERE DAY_ONLY(CreatedDate) = {group['day']}") == group["n"]

    def test_having_leaves_groups_out(self, crm: Client) -> None:
        all_ = crm.records("SELECT OwnerId, COUNT(Id) n FROM Opportunity GROUP BY OwnerId")
        some = crm.records(
            "SELECT OwnerId, COUNT(Id) n FROM Opportunity GROUP BY OwnerId HAVING COUNT(Id) > 60"
        )
        assert [group for group in all_ if group["n"] > 60] == some
        assert 0 < len(some) < len(all_)

    def test_more_groups_than_fit_an_answer_are_refused(self, crm: Client) -> None:
        soql = "SELECT Id, COUNT(Name) FROM Opportunity GROUP BY Id"
        assert crm.query(soql).json()[0]["errorCode"] == "EXCEEDED_ID_LIMIT"
        assert len(crm.records(f"{soql} LIMIT 2000")) == 2000

    @pytest.mark.parametrize(
        ("soql", "words"),
        [
            ("SELECT Name, COUNT(Id) FROM Account", "Field must be grouped or aggregated: Name"),
            ("SELECT SUM(Name) FROM Account", "does not support aggregate operator SUM"),
            ("SELECT MAX(IsActive) FROM User", "does not support aggregate operator MAX"),
            ("SELECT COUNT(), Name FROM Account GROUP BY Name", "Grouped query cannot use COUNT()"),
            ("SELECT COUNT(Id) n, COUNT(Name) n FROM Account", "duplicate alias: n"),
            ("SELECT Name n FROM Account", "only aggregate expressions use field aliasing"),
        ],
    )
    def test_refusals(self, crm: Client, soql: str, words: str) -> None:
        answer = crm.query(soql)
        assert answer.status_code == 400
        assert words in answer.json()[0]["message"]


class TestLength:
    def test_an_address_that_is_too_long_is_414(self, crm: Client) -> None:
        ids = ",".join(["'006000000000001AAA'"] * 800)
        assert crm.query(f"SELECT Id FROM Opportunity WHERE Id IN ({ids})").status_code == 414

    def test_a_long_list_within_the_limit_is_answered(self, crm: Client) -> None:
        ids = crm.values("SELECT Id FROM Opportunity LIMIT 500")
        listed = ",".join(f"'{each}'" for each in ids)
        assert len(crm.values(f"SELECT Id FROM Opportunity WHERE Id IN ({listed})")) == 500

    def test_a_query_of_more_than_100000_characters_is_malformed(self, crm: Client) -> None:
        ids = ",".join(["'006000000000001AAA'"] * 6000)
        refusal = crm.start_job(f"SELECT Id FROM Opportunity WHERE Id IN ({ids})").json()[0]
        assert refusal["errorCode"] == "MALFORMED_QUERY"
        assert "100000" in refusal["message"]
