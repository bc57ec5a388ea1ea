"""A whole organisation into a file: roles, people, accounts, contacts, then deals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from sandbox.database import DatabaseWriter
from sandbox.generate.accounts import ACCOUNT_COLUMNS, CONTACT_COLUMNS, Directory
from sandbox.generate.deals import COLUMNS, DealMaker
from sandbox.generate.people import GivenPerson, Person, Rank, organise, owner_lots
from sandbox.ids import make_id, pod_of
from sandbox.objects import STAGES
from sandbox.schema import CUSTOM, STANDARD

_ACCOUNTS_PER_DEAL = 0.3
_USER_COLUMNS = (
    "Id", "Username", "FirstName", "LastName", "Name", "Email", "Title", "Department", "Division", "Alias", "IsActive",
    "UserType", "UserRoleId", "ManagerId", "ProfileId", "TimeZoneSidKey", "CreatedDate", "LastModifiedDate", "SystemModstamp",
)  # fmt: skip
_ROLE_COLUMNS = ("Id", "Name", "ParentRoleId", "DeveloperName", "LastModifiedDate", "SystemModstamp")


@dataclass(frozen=True)
class Order:
    """What organisation is wanted: ``scale`` deals, drawn from ``seed``, as they stand on the morning of ``today``."""

    scale: int
    seed: int
    today: date
    people: tuple[GivenPerson, ...] = ()
    domain: str = "sandbox.example"


def generate(order: Order, writer: DatabaseWriter, progress: Callable[[int], None]) -> None:
    """Fill ``writer``; ``progress`` hears how many deals are made. Memory does not grow with the scale."""
    for name, sobject in STANDARD.items():
        custom = CUSTOM.get(name, {})
        writer.add_object(sobject.with_fields({**sobject.fields, **custom}))
        for field in custom.values():
            writer.define(name, field)
    random = Random(f"{order.seed}:{order.scale}")  # noqa: S311 - must come out the same each time
    domain = order.people[0].email.partition("@")[2] if order.people else order.domain
    people = organise(order.scale, random, order.people, domain)
    _write_people(order, people, writer)
    _write_stages(order, writer)
    directory = _directory(order, people, random)
    writer.insert(STANDARD["Account"], ACCOUNT_COLUMNS, directory.account_rows())
    writer.insert(STANDARD["Contact"], CONTACT_COLUMNS, directory.contact_rows())
    done = 0
    for batch in DealMaker(directory, random).batches(order.scale):
        for name, rows in batch.items():
            writer.insert(STANDARD[name], COLUMNS[name], rows)
        done += len(batch["Opportunity"])
        progress(done)


def _pod(order: Order) -> str:
    return pod_of(order.seed, order.scale)


def _user_ids(order: Order, people: Sequence[Person]) -> list[str]:
    return [make_id("005", _pod(order), number) for number in range(1, len(people) + 1)]


def _since(order: Order) -> str:
    """When the organisation was set up."""
    return f"{order.today.replace(year=order.today.year - 4, day=1)}T09:00:00.000Z"


def _directory(order: Order, people: Sequence[Person], random: Random) -> Directory:
    return Directory(
        accounts=max(1, round(order.scale * _ACCOUNTS_PER_DEAL)),
        owner_ids=_user_ids(order, people),
        lots=owner_lots(people, random),
        pod=_pod(order),
        salt=order.seed % 1_000_003,
        today=order.today,
    )


def _write_people(order: Order, people: Sequence[Person], writer: DatabaseWriter) -> None:
    since = _since(order)
    roles = _Roles(order, since)
    users = list(_user_rows(order, people, roles, since))
    writer.insert(STANDARD["UserRole"], _ROLE_COLUMNS, roles.rows)
    writer.insert(STANDARD["User"], _USER_COLUMNS, users)


def _write_stages(order: Order, writer: DatabaseWriter) -> None:
    since, by = _since(order), make_id("005", _pod(order), 1)
    columns = STANDARD["OpportunityStage"].columns
    rows = []
    for number, (name, (probability, category, category_name)) in enumerate(STAGES.items(), start=1):
        is_closed = "true" if category in {"Closed", "Omitted"} else "false"
        is_won = "true" if category == "Closed" else "false"
        rows.append((
            make_id("01J", _pod(order), number), name, name, "true", str(number), is_closed, is_won, category, category_name,
            f"{probability}.0", None, by, since, by, since, since,
        ))  # fmt: skip
    writer.insert(STANDARD["OpportunityStage"], columns, rows)


class _Roles:
    """Role records, made when first asked for: one a rank and region, each below the next rank's of its region."""

    _ABOVE = {Rank.REP: Rank.MANAGER, Rank.MANAGER: Rank.DIRECTOR, Rank.DIRECTOR: Rank.HEAD}

    def __init__(self, order: Order, since: str) -> None:
        self._pod, self._since = _pod(order), since
        self._ids: dict[str, str] = {}
        self.rows: list[tuple[str | None, ...]] = []

    def id_of(self, rank: Rank, region: str) -> str:
        name = rank.title if rank in {Rank.HEAD, Rank.STAFF} else f"{rank.title} {region}"
        if name not in self._ids:
            parent = self.id_of(self._ABOVE[rank], region) if rank in self._ABOVE else None
            self._ids[name] = role_id = make_id("00E", self._pod, len(self._ids) + 1)
            developer_name = name.replace(" ", "_").replace("-", "_")
            self.rows.append((role_id, name, parent, developer_name, self._since, self._since))
        return self._ids[name]


def _user_rows(
    order: Order, people: Sequence[Person], roles: _Roles, since: str
) -> Iterable[tuple[str | None, ...]]:
    ids, profile = _user_ids(order, people), make_id("00e", _pod(order), 1)
    for person, user_id in zip(people, ids, strict=True):
        manager = None if person.manager is None else ids[person.manager]
        yield (
            user_id, person.email, person.first or None, person.last, f"{person.first} {person.last}".strip(), person.email,
            person.rank.title, "Sales", person.region, (person.first[:1] + person.last[:7]).lower(),
            "true" if person.is_active else "false", "Standard", roles.id_of(person.rank, person.region), manager, profile,
            "America/Los_Angeles", since, since, since,
        )  # fmt: skip
