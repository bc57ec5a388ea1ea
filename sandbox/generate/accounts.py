"""Accounts and contacts by their number: any of them can be worked out alone, so none need be kept while deals are made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.generate.names import CITIES, COMPANY, FIRST, JOB_TITLES, LAST, TRADE
from sandbox.ids import id_maker
from sandbox.objects import INDUSTRIES, LEAD_SOURCES

_CONTACTS_BEFORE = (0, 1, 3, 6)
_CONTACTS = (1, 2, 3, 2)
_SEGMENTS = ((1.0, 40), (1.0, 120), (2.2, 600), (1.5, 300), (4.5, 5200), (1.0, 75))


def scattered(number: int, salt: int) -> int:
    """A fixed number below 2**32 that looks drawn at random for ``number``."""
    mixed = (number + salt * 0x9E3779B1) * 0x85EBCA6B & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return mixed ^ mixed >> 16


def account_name(number: int) -> str:
    """A company's name; beyond the first few thousand a city sets equal names apart."""
    place, round_ = number % (len(COMPANY) * len(TRADE)), number // (len(COMPANY) * len(TRADE))
    stem = f"{COMPANY[place % len(COMPANY)]} {TRADE[(place // len(COMPANY) + place) % len(TRADE)]}"
    if round_ == 0:
        return stem
    city = CITIES[round_ % len(CITIES)][0]
    return f"{stem} {city}" if round_ < len(CITIES) else f"{stem} {city} {round_ // len(CITIES)}"


def contacts_of(account: int) -> range:
    """The numbers of an account's contacts: one to three of them."""
    first = account // 4 * 8 + _CONTACTS_BEFORE[account % 4]
    return range(first, first + _CONTACTS[account % 4])


def deal_size(account: int) -> float:
    """How much larger the account's deals are than a small company's."""
    return _SEGMENTS[account % len(_SEGMENTS)][0]


@dataclass(frozen=True)
class Directory:
    """The accounts and contacts of an organisation: how many, whose, and when they came."""

    accounts: int
    owner_ids: Sequence[str]
    lots: Sequence[int]
    pod: str
    salt: int
    today: date

    def owner_of(self, account: int) -> int:
        """The place among the people of an account's owner."""
        return self.lots[scattered(account, self.salt) % len(self.lots)]

    def _created(self, account: int) -> str:
        days = 1100 + scattered(account, self.salt + 1) % 700
        return f"{self.today - timedelta(days=days)}T09:{account % 60:02}:00.000Z"

    def account_rows(self) -> Iterator[tuple[str | None, ...]]:
        """Rows in the order of ``ACCOUNT_COLUMNS``."""
        account_id = id_maker("001", self.pod)
        for number in range(self.accounts):
            owner, created = self.owner_ids[self.owner_of(number)], self._created(number)
            city, state, country = CITIES[scattered(number, 7) % len(CITIES)]
            employees = _SEGMENTS[number % len(_SEGMENTS)][1] + scattered(number, 9) % 40
            name = account_name(number)
            yield (
                account_id(number + 1), name, "Customer" if number % 3 == 0 else "Prospect",
                INDUSTRIES[scattered(number, 11) % len(INDUSTRIES)], f"{employees * 180_000}.0", str(employees), owner,
                f"https://www.{name.lower().replace(' ', '-')}.example", f"+1 555 {number // 10000 % 1000:03} {number % 10000:04}",
                f"{number % 900 + 1} Market Street", city, state, f"{10000 + number % 80000}", country,
                created, owner, created, owner, created, "false",
            )  # fmt: skip

    def contact_rows(self) -> Iterator[tuple[str | None, ...]]:
        """Rows in the order of ``CONTACT_COLUMNS``."""
        account_id, contact_id = id_maker("001", self.pod), id_maker("003", self.pod)
        for account in range(self.accounts):
            owner, created = self.owner_ids[self.owner_of(account)], self._created(account)
            domain = f"{account_name(account).lower().replace(' ', '-')}.example"
            for number in contacts_of(account):
                draw = scattered(number, 3)
                first, last = FIRST[draw % len(FIRST)], LAST[draw // 128 % len(LAST)]
                yield (
                    contact_id(number + 1), account_id(account + 1), first, last, f"{first} {last}",
                    f"{first}.{last}@{domain}".lower() if number % 17 else None, f"+1 555 010 {number % 10000:04}",
                    JOB_TITLES[draw // 4096 % len(JOB_TITLES)], LEAD_SOURCES[draw // 65536 % len(LEAD_SOURCES)],
                    owner, created, owner, created, owner, created, "false",
                )  # fmt: skip


_AUDIT = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp", "IsDeleted")
ACCOUNT_COLUMNS = (
    "Id", "Name", "Type", "Industry", "AnnualRevenue", "NumberOfEmployees", "OwnerId", "Website", "Phone",
    "BillingStreet", "BillingCity", "BillingState", "BillingPostalCode", "BillingCountry", *_AUDIT,
)  # fmt: skip
CONTACT_COLUMNS = (
    "Id", "AccountId", "FirstName", "LastName", "Name", "Email", "Phone", "Title", "LeadSource", "OwnerId", *_AUDIT,
)  # fmt: skip
