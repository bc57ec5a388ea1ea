"""A made-up portal: the companies, people and deals that ``sandbox.generate`` draws, as HubSpot would hold them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from random import Random

from sandbox.generate import Order
from sandbox.generate.accounts import account_name, contacts_of, scattered
from sandbox.generate.names import CITIES, FIRST, JOB_TITLES, LAST
from sandbox.generate.people import Person, organise, owner_lots
from sandbox.hubspot import pipelines, properties
from sandbox.hubspot.deals import DealMaker, Directory
from sandbox.hubspot.kinds import FIRST_OWN_LABEL, PRIMARY
from sandbox.hubspot.moments import iso, milliseconds_at
from sandbox.hubspot.store import PortalWriter, compact, encode

DAY = 86_400_000
_COMPANIES_PER_DEAL = 0.3
_ARCHIVED_SHARE = 250  # one company or contact in so many
OWN_LABELS = (
    (FIRST_OWN_LABEL, "deals", "contacts", 36, 37, "Decision maker", "Decides on", "decision_maker"),
    (FIRST_OWN_LABEL + 1, "deals", "contacts", 38, 39, "Champion", "Champions", "champion"),
    (FIRST_OWN_LABEL + 2, "deals", "contacts", 40, 41, "Billing contact", "Is billed for", "billing_contact"),
)


def generate_portal(order: Order, writer: PortalWriter, progress: Callable[[int], None]) -> None:
    """Fill ``writer``; ``progress`` hears how many deals are made. Memory does not grow with the scale."""
    writer.make_tables()
    random = Random(f"portal:{order.seed}:{order.scale}")  # noqa: S311 - must come out the same each time
    domain = order.people[0].email.partition("@")[2] if order.people else order.domain
    people = organise(order.scale, random, order.people, domain)
    directory = _directory(order, people, random)
    _write_settings(directory, people, writer)
    for table, rows, columns in _tables(directory):
        writer.add(table, rows, columns)
    done = 0
    for batch in DealMaker(directory, random).batches(order.scale):
        for table, made in batch.items():
            if made:
                writer.add(table, made, len(made[0]))
        done += len(batch["deals"])
        progress(done)
    writer.index()


def _directory(order: Order, people: Sequence[Person], random: Random) -> Directory:
    midnight = datetime(order.today.year, order.today.month, order.today.day, tzinfo=UTC)
    return Directory(
        companies=max(1, round(order.scale * _COMPANIES_PER_DEAL)),
        owner_ids=[str(41_629_000 + order.seed % 500 + number * 13) for number in range(len(people))],
        lots=owner_lots(people, random),
        salt=order.seed % 1_000_003,
        midnight_ms=milliseconds_at(midnight),
    )


def _write_settings(directory: Directory, people: Sequence[Person], writer: PortalWriter) -> None:
    since = iso(directory.midnight_ms - 4 * 365 * DAY)
    writer.add("owner", (_owner_row(directory, people, place, since) for place in range(len(people))), 3)
    writer.add(
        "pipeline",
        (
            ("deals", body["id"], place, 0, encode(body).decode())
            for place, body in enumerate(pipelines.standard(since))
        ),
        5,
    )
    for kind, definitions in properties.standard(since).items():
        writer.add("property", ((kind, each["name"], 0, encode(each).decode()) for each in definitions), 4)
    writer.add("label", OWN_LABELS, 8)


def _owner_row(
    directory: Directory, people: Sequence[Person], place: int, since: str
) -> tuple[int, int, str]:
    person, owner_id = people[place], directory.owner_ids[place]
    teams = [{"id": str(3000 + sum(person.region.encode()) % 900), "name": person.region, "primary": True}]
    user_id = int(owner_id) - 30_000_000
    body = {"id": owner_id, "email": person.email, "type": "PERSON", "firstName": person.first, "lastName": person.last,
            "userId": user_id if person.is_active else None, "userIdIncludingInactive": user_id, "createdAt": since,
            "updatedAt": since, "archived": not person.is_active, "teams": teams}  # fmt: skip
    return int(owner_id), int(not person.is_active), encode(body).decode()


def _tables(directory: Directory) -> Iterator[tuple[str, Iterator[tuple[object, ...]], int]]:
    yield "companies", _company_rows(directory), 6
    yield "contacts", _contact_rows(directory), 6
    yield "contacts_companies", _contact_links(directory), 3


def _company_rows(directory: Directory) -> Iterator[tuple[object, ...]]:
    for number in range(directory.companies):
        name, created = account_name(number), directory.created_ms(number)
        city, state, country = CITIES[scattered(number, 7) % len(CITIES)]
        employees = 40 + scattered(number, 9) % 900
        domain, company_id = _domain(number), directory.company_id(number)
        values = {
            "name": name, "domain": domain, "website": f"https://www.{domain}",
            "phone": f"+1 555 {number // 10000 % 1000:03} {number % 10000:04}",
            "industry": properties.OPTIONS["industry"][scattered(number, 11) % 8], "type": "PROSPECT" if number % 3 else "OTHER",
            "annualrevenue": str(employees * 180_000), "numberofemployees": str(employees),
            "address": f"{number % 900 + 1} Market Street", "city": city, "state": state, "zip": f"{10000 + number % 80000}",
            "country": country, "lifecyclestage": "opportunity" if number % 3 else "customer",
            "hubspot_owner_id": directory.owner_of(number), "createdate": iso(created), "hs_lastmodifieddate": iso(created + 4321),
            "hs_object_id": str(company_id),
        }  # fmt: skip
        archived = directory.archived_ms(number, 23, created, _ARCHIVED_SHARE)
        yield company_id, created, created + 4321, archived, compact(values), None


def _contact_rows(directory: Directory) -> Iterator[tuple[object, ...]]:
    for company in range(directory.companies):
        name, domain = account_name(company), _domain(company)
        for number in contacts_of(company):
            draw, created = scattered(number, 3), directory.created_ms(company) + 60_000 + number % 997
            first, last = FIRST[draw % len(FIRST)], LAST[draw // 128 % len(LAST)]
            contact_id = directory.contact_id(number)
            values = {
                "firstname": first, "lastname": last, "company": name,
                "email": f"{first}.{last}.{number}@{domain}".lower() if number % 17 else None,
                "phone": f"+1 555 010 {number % 10000:04}", "jobtitle": JOB_TITLES[draw // 4096 % len(JOB_TITLES)],
                "lifecyclestage": "opportunity", "hubspot_owner_id": directory.owner_of(company),
                "associatedcompanyid": str(directory.company_id(company)), "createdate": iso(created),
                "lastmodifieddate": iso(created + 777), "hs_object_id": str(contact_id),
            }  # fmt: skip
            archived = directory.archived_ms(number, 29, created, _ARCHIVED_SHARE)
            yield contact_id, created, created + 777, archived, compact(values), None


def _contact_links(directory: Directory) -> Iterator[tuple[object, ...]]:
    for company in range(directory.companies):
        for number in contacts_of(company):
            contact_id, company_id = directory.contact_id(number), directory.company_id(company)
            yield contact_id, company_id, 0
            yield contact_id, company_id, PRIMARY


def _domain(number: int) -> str:
    return f"{account_name(number).lower().replace(' ', '-')}.example"
