"""Searches, and how far their index lags behind."""

from datetime import datetime

import pytest

from .conftest import Portal


class TestFilters:
    def expected(self, portal: Portal, fits: object) -> set[str]:
        assert callable(fits)
        return {record["id"] for record in portal.snapshot("deals") if fits(record["properties"])}

    @pytest.mark.parametrize(
        ("filters", "fits"),
        [
            ([("dealstage", "EQ", "closedwon")], lambda v: v["dealstage"] == "closedwon"),
            ([("dealstage", "NEQ", "closedwon")], lambda v: v["dealstage"] != "closedwon"),
            ([("amount", "GT", "20000")], lambda v: v["amount"] is not None and float(v["amount"]) > 20000),
            ([("amount", "LTE", 20000)], lambda v: v["amount"] is not None and float(v["amount"]) <= 20000),
            ([("amount", "BETWEEN", 9000, 12000)], lambda v: v["amount"] is not None and 9000 <= float(v["amount"]) <= 12000),
            ([("dealstage", "IN", ["closedwon", "CLOSEDLOST"])], lambda v: v["dealstage"] in {"closedwon", "closedlost"}),
            ([("pipeline", "NOT_IN", ["default"])], lambda v: v["pipeline"] != "default"),
            ([("hs_next_step", "HAS_PROPERTY")], lambda v: v["hs_next_step"] is not None),
            ([("amount", "NOT_HAS_PROPERTY")], lambda v: v["amount"] is None),
            ([("dealname", "CONTAINS_TOKEN", "pilot")], lambda v: "Pilot" in v["dealname"]),
            ([("dealname", "CONTAINS_TOKEN", "roll*")], lambda v: "Roll" in v["dealname"]),
            ([("closedate", "LT", "2026-01-01")], lambda v: v["closedate"] < "2026"),
            ([("days_open", "GTE", 100)], lambda v: v["days_open"] is not None and int(v["days_open"]) >= 100),
            ([("is_strategic", "EQ", True)], lambda v: v["is_strategic"] == "true"),
            ([("amount", "GT", 5000), ("pipeline", "EQ", "default")],
             lambda v: v["amount"] is not None and float(v["amount"]) > 5000 and v["pipeline"] == "default"),
        ],
    )  # fmt: skip
    def test_find_what_fits_and_nothing_else(
        self, demo: Portal, filters: list[tuple[object, ...]], fits: object
    ) -> None:
        answer = demo.search(*filters, limit=200).json()
        found = {record["id"] for record in answer["results"]}
        if answer["total"] > 200:
            following = demo.search(*filters, limit=200, after=answer["paging"]["next"]["after"]).json()
            found |= {record["id"] for record in following["results"]}
        assert found == self.expected(demo, fits)
        assert found
        assert answer["total"] == len(found)

    def test_the_stamp_is_found_by_milliseconds_and_by_iso_text(self, demo: Portal) -> None:
        deal = demo.objects(limit=1)[0]
        for value in (deal["updatedAt"], str(milliseconds(deal["updatedAt"]))):
            assert deal["id"] in demo.found(("hs_lastmodifieddate", "EQ", value))

    def test_groups_are_alternatives(self, demo: Portal) -> None:
        groups = [
            {"filters": [{"propertyName": "dealstage", "operator": "EQ", "value": value}]}
            for value in ("closedwon", "closedlost")
        ]
        together = demo.post("/crm/v3/objects/deals/search", {"filterGroups": groups}).json()["total"]
        assert together == sum(
            demo.search(("dealstage", "EQ", value)).json()["total"] for value in ("closedwon", "closedlost")
        )

    def test_contacts_are_stamped_by_another_name(self, demo: Portal) -> None:
        assert demo.search(("lastmodifieddate", "GT", "0"), kind="contacts").json()["total"] == len(
            demo.snapshot("contacts")
        )
        assert demo.search(("hs_lastmodifieddate", "GT", "0"), kind="contacts").status_code == 400

    def test_words_are_found_in_default_properties(self, demo: Portal) -> None:
        name = demo.objects(limit=1)[0]["properties"]["dealname"]
        assert demo.objects(limit=1)[0]["id"] in demo.found(query=name, limit=200)

    @pytest.mark.parametrize(
        "body",
        [
            {"filterGroups": [{"filters": [{"propertyName": "amount", "operator": "GT", "value": 1}]}] * 6},
            {"filterGroups": [{"filters": [{"propertyName": "amount", "operator": "GT", "value": 1}] * 7}]},
            {
                "filterGroups": [{"filters": [{"propertyName": "amount", "operator": "GT", "value": 1}] * 5}]
                * 4
            },
            {"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "GT", "value": 1}]}]},
            {"filterGroups": [{"filters": [{"propertyName": "amount", "operator": "LIKE", "value": 1}]}]},
            {"filterGroups": [{"filters": [{"propertyName": "amount", "operator": "GT", "value": "lots"}]}]},
            {"filterGroups": [{"filters": [{"propertyName": "amount", "operator": "GT"}]}]},
            {"limit": 201},
            {"limit": 0},
            {"sorts": ["amount", "dealname"]},
            {"after": "x"},
        ],
    )
    def test_what_the_real_one_refuses_is_refused(self, demo: Portal, body: dict[str, object]) -> None:
        answer = demo.post("/crm/v3/objects/deals/search", body)
        assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def milliseconds(text: str) -> int:
    """A moment's milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class TestPaging:
    def test_sorted_pages_give_everything_once_in_order(self, demo: Portal) -> None:
        stamps, ids, after = [], [], "0"
        while after:
            page = demo.search(
                limit=50,
                after=after,
                sorts=[{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
            ).json()
            ids += [record["id"] for record in page["results"]]
            stamps += [milliseconds(record["updatedAt"]) for record in page["results"]]
            after = page.get("paging", {}).get("next", {}).get("after", "")
        assert stamps == sorted(stamps)
        assert sorted(ids) == sorted(record["id"] for record in demo.snapshot("deals"))

    def test_beyond_the_reach_is_400(self, scratch: Portal) -> None:
        scratch.control("switches", search_reach=20)
        assert scratch.search(limit=10, after="10").json()["paging"]["next"]["after"] == "20"
        assert scratch.search(limit=10, after="20").status_code == 400
        assert scratch.search(limit=21).status_code == 400

    def test_many_records_of_one_stamp_are_drained_by_id(self, scratch: Portal) -> None:
        moment = "2030-02-02T02:02:02.002Z"
        assert scratch.control("restamp", object="deals", first=30, at=moment) == {"stamped": 30}
        first = scratch.found(("hs_lastmodifieddate", "EQ", moment), sorts=["hs_object_id"], limit=20)
        rest = scratch.found(
            ("hs_lastmodifieddate", "EQ", moment),
            ("hs_object_id", "GT", first[-1]),
            sorts=["hs_object_id"],
            limit=20,
        )
        assert (len(first), len(rest)) == (20, 10)
        assert int(first[-1]) < int(rest[0])

    def test_equal_values_have_no_stable_order_on_request(self, scratch: Portal) -> None:
        scratch.control("restamp", object="deals", first=30, at="2030-02-02T02:02:02.002Z")
        scratch.control("switches", unstable_sorts=True)
        wanted = ("hs_lastmodifieddate", "EQ", "2030-02-02T02:02:02.002Z")
        orders = {tuple(scratch.found(wanted, sorts=["hs_lastmodifieddate"], limit=100)) for _ in range(8)}
        assert len(orders) > 1
        assert len({frozenset(order) for order in orders}) == 1

    def test_archived_records_are_not_found(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="Unique Name Once")
        assert scratch.found(("dealname", "EQ", "unique name once")) == [deal]
        scratch.control("archive", object="deals", id=deal)
        assert scratch.found(("dealname", "EQ", "unique name once")) == []


class TestTheLag:
    def test_changes_show_late_in_searches_and_at_once_elsewhere(self, scratch: Portal) -> None:
        scratch.control("clock", fix="2031-06-01T00:00:00Z")
        deal = scratch.make(dealname="Before")
        scratch.control("switches", search_lag_seconds=60)
        new = scratch.make(dealname="After")
        scratch.control("update", object="deals", id=deal, fields={"dealname": "After"})
        assert (
            scratch.one(deal)["properties"]["dealname"]
            == scratch.one(new)["properties"]["dealname"]
            == "After"
        )
        assert scratch.found(("dealname", "EQ", "After")) == []
        assert scratch.found(("dealname", "EQ", "Before")) == [deal]
        scratch.control("clock", advance_seconds=61)
        assert scratch.found(("dealname", "EQ", "After"), sorts=["hs_object_id"]) == [deal, new]

    def test_a_second_change_does_not_show_before_the_first_is_due(self, scratch: Portal) -> None:
        scratch.control("clock", fix="2031-07-01T00:00:00Z")
        deal = scratch.make(dealname="One")
        scratch.control("switches", search_lag_seconds=60)
        scratch.control("update", object="deals", id=deal, fields={"dealname": "Two"})
        scratch.control("clock", advance_seconds=30)
        scratch.control("update", object="deals", id=deal, fields={"dealname": "Three"})
        assert scratch.found(("hs_object_id", "EQ", deal), ("dealname", "EQ", "One")) == [deal]
        scratch.control("clock", advance_seconds=31)
        assert scratch.found(("hs_object_id", "EQ", deal), ("dealname", "EQ", "Two")) == [deal]
        scratch.control("clock", advance_seconds=30)
        assert scratch.found(("hs_object_id", "EQ", deal), ("dealname", "EQ", "Three")) == [deal]

    def test_an_archived_record_lingers(self, scratch: Portal) -> None:
        scratch.control("clock", fix="2031-08-01T00:00:00Z")
        deal = scratch.make(dealname="Lingers")
        scratch.control("switches", search_lag_seconds=60)
        scratch.control("archive", object="deals", id=deal)
        assert scratch.found(("dealname", "EQ", "Lingers")) == [deal]
        scratch.control("clock", advance_seconds=61)
        assert scratch.found(("dealname", "EQ", "Lingers")) == []

    def test_with_a_seed_records_are_late_by_different_times(self, scratch: Portal) -> None:
        scratch.control("clock", fix="2031-09-01T00:00:00Z")
        scratch.control("switches", search_lag_seconds=100, search_lag_seed=4)
        made = [scratch.make(dealname="Drawn") for _ in range(20)]
        scratch.control("clock", advance_seconds=50)
        shown = scratch.found(("dealname", "EQ", "Drawn"), limit=50)
        assert 0 < len(shown) < 20
        scratch.control("clock", advance_seconds=51)
        assert scratch.found(("dealname", "EQ", "Drawn"), limit=50, sorts=["hs_object_id"]) == made
