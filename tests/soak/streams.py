"""What people do in a CRM all day, at random: they create, edit, delete, merge, bring back. One seed gives one day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.sandbox.conftest import Client
from tests.sandbox.hubspot.conftest import Portal

PLENTY = 40  # with fewer of a kind left, nobody deletes or merges them: a day of a hundred rounds must not end an empty CRM
AWKWARD = (
    'Ring "Bo"',
    "two\nlines",
    "naïve 🚀 𝔘nicode",
    "semi;colon, comma",
    "'quoted'",
    "\ttab ",
    "100 % of \\n",
)


@dataclass
class Salesforce:
    """An organisation in the hands of its users."""

    client: Client
    random: Random

    def act(self, times: int) -> None:
        """Do some of what users do."""
        for _ in range(times):
            self.random.choice(self._habits())()

    def _habits(self) -> list[Callable[[], None]]:
        edits = [self._edit_deal] * 5 + [self._edit_other] * 2
        return [
            *edits,
            self._create,
            self._delete,
            self._undelete,
            self._merge,
            self._commit_late,
            self._tell_task,
        ]

    def _pick(self, name: str, **params: str | int) -> dict[str, str]:
        return self.random.choice(self.client.snapshot(name, **params))

    def _text(self) -> str:
        return f"{self.random.choice(AWKWARD)} {self.random.randrange(1000)}"

    def _deal_values(self) -> dict[str, object]:
        values: dict[str, object] = {
            "NextStep": self._text(),
            "Amount": self.random.choice([None, 0, 12.345, 99999.99, self.random.randrange(10**7)]),
            "StageName": self.random.choice(
                ["Discovery", "Proposal", "Negotiation", "Closed Won", "Closed Lost"]
            ),
            "CloseDate": f"2026-{self.random.randrange(1, 13):02}-{self.random.randrange(1, 29):02}",
            "OwnerId": self._pick("User")["Id"],
        }
        return {name: value for name, value in values.items() if self.random.random() < 0.5}

    def _edit_deal(self) -> None:
        self.client.control(
            "update", object="Opportunity", id=self._pick("Opportunity")["Id"], fields=self._deal_values()
        )

    def _edit_other(self) -> None:
        name = self.random.choice(["Account", "Contact"])
        fields = {"Name": self._text()} if name == "Account" else {"LastName": self._text()}
        self.client.control("update", object=name, id=self._pick(name)["Id"], fields=fields)

    def _create(self) -> None:
        account, owner = self._pick("Account"), self._pick("User")
        fields = {"Name": self._text(), "AccountId": account["Id"], "OwnerId": owner["Id"], "StageName": "Discovery",
                  "CloseDate": "2026-12-24", **self._deal_values()}  # fmt: skip
        made = self.client.control("create", object="Opportunity", fields=fields)
        contact = self._pick("Contact")
        role = {"OpportunityId": made["id"], "ContactId": contact["Id"], "Role": "Influencer"}
        self.client.control("create", object="OpportunityContactRole", fields=role)

    def _tell_task(self) -> None:
        deal = self._pick("Opportunity")
        fields = {
            "WhatId": deal["Id"],
            "Subject": self._text(),
            "OwnerId": deal["OwnerId"],
            "ActivityDate": "2026-11-20",
        }
        self.client.control("create", object="Task", fields=fields)

    def _delete(self) -> None:
        name = self.random.choice(["Opportunity", "Contact", "Task", "Account"])
        self.client.control("delete", object=name, id=self._pick(name)["Id"], hard=self.random.random() < 0.3)

    def _undelete(self) -> None:
        gone = [row for row in self.client.snapshot("Opportunity", deleted=1) if row["IsDeleted"] == "true"]
        if gone:
            self.client.control("undelete", object="Opportunity", id=self.random.choice(gone)["Id"])

    def _merge(self) -> None:
        name = self.random.choice(["Account", "Contact"])
        rows = self.client.snapshot(name)
        if len(rows) > PLENTY:
            master, loser = self.random.sample(rows, 2)
            self.client.control("merge", object=name, master=master["Id"], losers=[loser["Id"]])

    def _commit_late(self) -> None:
        fields = {"NextStep": f"late {self._text()}"}
        deal = self._pick("Opportunity")["Id"]
        self.client.control(
            "late", object="Opportunity", id=deal, fields=fields, seconds=self.random.uniform(0.5, 4)
        )


@dataclass
class HubSpot:
    """A portal in the hands of its users."""

    portal: Portal
    random: Random

    def act(self, times: int) -> None:
        """Do some of what users do."""
        for _ in range(times):
            self.random.choice(self._habits())()

    def _habits(self) -> list[Callable[[], None]]:
        edits = [self._edit_deal] * 5 + [self._edit_other] * 2
        return [*edits, self._create, self._archive, self._restore, self._merge, self._associate, self._part]

    def _live(self, name: str) -> list[dict[str, Any]]:
        return self.portal.snapshot(name)

    def _ids(self, name: str) -> list[str]:
        return [row["id"] for row in self._live(name)]

    def _pick(self, name: str) -> str:
        return self.random.choice(self._ids(name))

    def _text(self) -> str:
        return f"{self.random.choice(AWKWARD)} {self.random.randrange(1000)}"

    def _edit_deal(self) -> None:
        values: dict[str, object] = {
            "dealname": self._text(),
            "amount": str(self.random.choice(["", "0", "12.345", "99999.99", self.random.randrange(10**7)])),
            "closedate": f"2026-{self.random.randrange(1, 13):02}-{self.random.randrange(1, 29):02}T00:00:00Z",
        }
        fields = {name: value for name, value in values.items() if self.random.random() < 0.6}
        self.portal.control("update", object="deals", id=self._pick("deals"), fields=fields)

    def _edit_other(self) -> None:
        name, field = self.random.choice([("companies", "name"), ("contacts", "lastname")])
        self.portal.control("update", object=name, id=self._pick(name), fields={field: self._text()})

    def _create(self) -> None:
        stage = self.random.choice(self._live("deals"))["properties"]
        fields = {
            "dealname": self._text(),
            "pipeline": stage["pipeline"],
            "dealstage": stage["dealstage"],
            "amount": "500",
        }
        made = self.portal.control("create", object="deals", fields=fields)["id"]
        self.portal.control(
            "associate", object="deals", id=made, other="contacts", other_id=self._pick("contacts")
        )
        self.portal.control(
            "associate", object="deals", id=made, other="companies", other_id=self._pick("companies")
        )

    def _archive(self) -> None:
        name = self.random.choice(["deals", "contacts", "companies", "calls"])
        live = self._ids(name)
        if len(live) > PLENTY:
            self.portal.control("archive", object=name, id=self.random.choice(live))

    def _restore(self) -> None:
        name = self.random.choice(["deals", "contacts"])
        gone = [row["id"] for row in self.portal.snapshot(name, archived=True) if row["archived"]]
        if gone:
            self.portal.control("restore", object=name, id=self.random.choice(gone))

    def _merge(self) -> None:
        name = self.random.choice(["companies", "contacts", "deals"])
        live = self._ids(name)
        if len(live) > PLENTY:
            primary, loser = self.random.sample(live, 2)
            self.portal.control("merge", object=name, primary=primary, loser=loser)

    def _associate(self) -> None:
        self.portal.control(
            "associate",
            object="deals",
            id=self._pick("deals"),
            other="contacts",
            other_id=self._pick("contacts"),
        )

    def _part(self) -> None:
        tied = [row for row in self._live("deals") if row.get("associations", {}).get("contacts")]
        if tied:
            deal = self.random.choice(tied)
            contact = self.random.choice(deal["associations"]["contacts"])["id"]
            self.portal.control("part", object="deals", id=deal["id"], other="contacts", other_id=contact)
