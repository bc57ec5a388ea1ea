"""Who sells: a head of sales, regional directors, managers of teams, and their reps; given people first."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from random import Random

from sandbox.errors import SetupError
from sandbox.generate.names import FIRST, LAST, REGIONS

_HEADER = ["Email", "FirstName", "LastName", "ManagerEmail"]


class Rank(Enum):
    """A place in the organisation, with the weight of its members when deals find owners."""

    HEAD = ("Head of Sales", 0.05)
    DIRECTOR = ("Regional Director", 0.1)
    MANAGER = ("Sales Manager", 0.3)
    REP = ("Account Executive", 1.0)
    STAFF = ("Revenue Operations", 0.0)

    def __init__(self, title: str, weight: float) -> None:
        self.title = title
        self.weight = weight


@dataclass(frozen=True)
class GivenPerson:
    """A line of a people file; ``manager`` is the manager's e-mail, or empty at the top."""

    email: str
    first: str
    last: str
    manager: str


@dataclass
class Person:
    """A user to be. ``manager`` is a place in the list of people."""

    email: str
    first: str
    last: str
    rank: Rank
    manager: int | None
    region: str
    is_active: bool = True
    is_given: bool = False


def read_people(path: Path) -> tuple[GivenPerson, ...]:
    """The people of a CSV file with the columns Email, FirstName, LastName, ManagerEmail. Raises: SetupError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SetupError(f"people file {path}: cannot be read as CSV in UTF-8 ({error})") from error
    if not rows or list(rows[0])[:4] != _HEADER:
        raise SetupError(
            f"people file {path}: the header must be {','.join(_HEADER)}, and a person must follow"
        )
    people = tuple(GivenPerson(*((row[name] or "").strip() for name in _HEADER)) for row in rows)
    _check(path, people)
    return people


def _check(path: Path, people: Sequence[GivenPerson]) -> None:
    emails = [person.email.lower() for person in people]
    for number, person in enumerate(people, start=2):
        where = f"people file {path}, line {number}"
        if "@" not in person.email or not person.last:
            raise SetupError(f"{where}: a person needs an Email with @ and a LastName")
        if emails.count(person.email.lower()) > 1:
            raise SetupError(f"{where}: {person.email} is there more than once")
        if person.manager and person.manager.lower() not in emails:
            raise SetupError(f"{where}: the manager {person.manager} is not in the file; list managers too")
    _check_no_circle(path, people)


def _check_no_circle(path: Path, people: Sequence[GivenPerson]) -> None:
    manager_of = {person.email.lower(): person.manager.lower() for person in people}
    for person in people:
        above, steps = manager_of[person.email.lower()], 0
        while above and steps <= len(people):
            above, steps = manager_of[above], steps + 1
        if above:
            raise SetupError(
                f"people file {path}: {person.email} is their own manager in the end; someone must be on top"
            )


def reps_for(scale: int) -> int:
    """How many reps sell ``scale`` deals: 40 for 2,000 and about 200 for a million."""
    return max(3, round(40 * math.pow(scale / 2000, 0.26)))


def organise(scale: int, random: Random, given: Sequence[GivenPerson], domain: str) -> list[Person]:
    """Everyone, given people first and as they are; the rest is added under the given managers and beside them."""
    return _Staffing(random, given, domain).staff(reps_for(scale))


class _Staffing:
    def __init__(self, random: Random, given: Sequence[GivenPerson], domain: str) -> None:
        self._random = random
        self._domain = domain
        self._places = {person.email.lower(): place for place, person in enumerate(given)}
        self.people = [self._from_given(person) for person in given]
        self._emails = set(self._places)
        self._names = [(first, last) for first in FIRST for last in LAST]
        random.shuffle(self._names)
        self._rank_the_given()

    def _from_given(self, person: GivenPerson) -> Person:
        manager = self._places[person.manager.lower()] if person.manager else None
        return Person(person.email, person.first, person.last, Rank.STAFF, manager, REGIONS[0], is_given=True)

    def _rank_the_given(self) -> None:
        managing = {person.manager for person in self.people}
        managing_reps = {person.manager for place, person in enumerate(self.people) if place not in managing}
        for place, person in enumerate(self.people):
            if person.manager is None:
                person.rank = Rank.HEAD if place in managing or len(self.people) == 1 else Rank.STAFF
            elif place not in managing:
                person.rank = Rank.REP
            else:
                person.rank = Rank.MANAGER if place in managing_reps else Rank.DIRECTOR

    def staff(self, reps: int) -> list[Person]:
        """Fill every rank up to what ``reps`` reps need."""
        managers = max(1, round(reps / 6.7))
        regions = max(1, min(len(REGIONS), managers // 2))
        heads = self._of_rank(Rank.HEAD) or [self._add(Rank.HEAD, None, REGIONS[0])]
        self._fill(Rank.DIRECTOR, regions, heads[:1])
        self._fill(Rank.MANAGER, managers, self._of_rank(Rank.DIRECTOR))
        self._fill(Rank.REP, reps, self._of_rank(Rank.MANAGER))
        return self.people

    def _of_rank(self, rank: Rank) -> list[int]:
        return [place for place, person in enumerate(self.people) if person.rank is rank]

    def _fill(self, rank: Rank, wanted: int, managers: Sequence[int]) -> None:
        present = len(self._of_rank(rank))
        for number in range(present, wanted):
            manager = managers[number % len(managers)]
            region = REGIONS[number % len(REGIONS)] if rank is Rank.DIRECTOR else self.people[manager].region
            self._add(rank, manager, region)

    def _add(self, rank: Rank, manager: int | None, region: str) -> int:
        first, last = self._names[len(self.people) % len(self._names)]
        email = f"{first}.{last}@{self._domain}".lower()
        if email in self._emails:
            email = f"{first}.{last}{len(self.people)}@{self._domain}".lower()
        self._emails.add(email)
        has_left = rank is Rank.REP and self._random.random() < 0.04
        self.people.append(Person(email, first, last, rank, manager, region, is_active=not has_left))
        return len(self.people) - 1


def owner_lots(people: Sequence[Person], random: Random, lots: int = 4096) -> list[int]:
    """Places of people, each as often as it should own deals: draw from the list to find an owner."""
    weights = [_weight(person) * (0.6 + 0.8 * random.random()) for person in people]
    total = sum(weights)
    drawn = [place for place, weight in enumerate(weights) for _ in range(math.ceil(lots * weight / total))]
    random.shuffle(drawn)
    return drawn


def _weight(person: Person) -> float:
    """Given people have full books, for they are who will look; those who left have few deals."""
    return person.rank.weight * (1.6 if person.is_given else 1.0 if person.is_active else 0.4)
