"""The organisations of a server: which are wanted, and their files made or found again."""

import hashlib
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from sandbox.clock import Clock
from sandbox.database import Database, DatabaseWriter
from sandbox.errors import SetupError
from sandbox.generate import GivenPerson, Order, generate, read_people
from sandbox.ids import make_id, pod_of
from sandbox.limits import Traffic, Usage
from sandbox.loading import fingerprint, load_directory
from sandbox.rules import Rules

LARGEST_SCALE = 1_000_000
_LAYOUT = "2"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
Report = Callable[[str], None]


@dataclass(frozen=True)
class OrgSpec:
    """An organisation that is wanted: from a data directory, or generated."""

    name: str
    scale: int = 0
    seed: int = 0
    people: tuple[GivenPerson, ...] = ()
    data: Path | None = None


@dataclass(frozen=True)
class LateChange:
    """A change that is stamped ``begun_at`` and that nobody sees before ``ends_at``."""

    begun_at: datetime
    ends_at: datetime
    sobject: str
    id: str
    fields: dict[str, object]
    is_new: bool
    is_deletion: bool
    user_id: str


@dataclass
class Org:
    """An organisation that is served. ``calls`` counts requests by method, path pattern and status."""

    name: str
    database: Database
    clock: Clock
    organisation_id: str
    calls: dict[tuple[str, str, int], int] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    usage: Usage = field(default_factory=Usage)
    traffic: Traffic = field(default_factory=Traffic)
    late: list[LateChange] = field(default_factory=list)
    late_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def client_id(self) -> str:
        """The OAuth client that leads to this organisation."""
        return f"sandbox-{self.name}"

    @property
    def client_secret(self) -> str:
        """The secret of that client; this is a play server, so it can be guessed."""
        return f"sandbox-secret-{self.name}"


def spec_of(text: str) -> OrgSpec:
    """``NAME=SCALE:SEED[:PEOPLE.csv]``. Raises: SetupError."""
    name, equals, rest = text.partition("=")
    scale, _, seed = rest.partition(":")
    seed, _, people = seed.partition(":")
    if not equals or not _NAME.fullmatch(name) or not scale.isdigit() or not seed.isdigit():
        raise SetupError(
            f"--org {text}: must read NAME=SCALE:SEED or NAME=SCALE:SEED:PEOPLE.csv, the name in small letters, digits and -"
        )
    return OrgSpec(name, checked_scale(int(scale)), int(seed), read_people(Path(people)) if people else ())


def checked_scale(scale: int) -> int:
    """The number of deals, if it is one that can be made. Raises: SetupError."""
    if not 1 <= scale <= LARGEST_SCALE:
        raise SetupError(f"scale {scale:,} is out of range; an organisation has 1 to {LARGEST_SCALE:,} deals")
    return scale


def open_org(spec: OrgSpec, home: Path, today: date | None, report: Report) -> Org:
    """The organisation of a spec, its file made if ``home`` has none for the same spec.

    Without ``today`` an organisation generated on an earlier day is taken up again, with all that was changed in it since. Raises: SetupError.
    """
    path = _path_of(spec, home, today)
    try:
        if not path.exists():
            report(f"org {spec.name}: making {path.name}")
            _build(spec, path, today or datetime.now(UTC).date(), report)
        database = Database(path)
    except (sqlite3.Error, OSError) as error:
        raise SetupError(
            f"{path}: cannot be made or read ({error}); free some disk, or remove the file if it is damaged"
        ) from error
    pod = pod_of(spec.data or spec.seed, spec.scale, spec.name)
    return Org(spec.name, database, Clock(today), make_id("00D", pod, 1))


def _path_of(spec: OrgSpec, home: Path, today: date | None) -> Path:
    if spec.data is not None:
        return home / f"{spec.name}-data-{fingerprint(spec.data)}-{_LAYOUT}.sqlite"
    people = hashlib.sha256(repr(spec.people).encode()).hexdigest()[:8]
    stem = f"{spec.name}-{spec.scale}-{spec.seed}-{people}-{_LAYOUT}"
    if today is None:
        earlier = sorted(home.glob(f"{stem}-[0-9]*.sqlite"))
        if earlier:
            return earlier[-1]
    return home / f"{stem}-{today or datetime.now(UTC).date()}.sqlite"


def _build(spec: OrgSpec, path: Path, today: date, report: Report) -> None:
    with _writer(path) as writer:
        if spec.data is not None:
            load_directory(spec.data, writer, datetime.now(UTC))
        else:
            order = Order(spec.scale, spec.seed, today, spec.people, f"{spec.name}.example")
            generate(order, writer, _progress(spec, report))
        writer.finish({"today": today.isoformat()})


@contextmanager
def _writer(path: Path) -> Iterator[DatabaseWriter]:
    writer = DatabaseWriter(path)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise


def _progress(spec: OrgSpec, report: Report) -> Callable[[int], None]:
    """Speaks at every tenth of a large organisation, and not at all for a small one."""
    step = max(spec.scale // 10, 10_000)

    def hear(done: int) -> None:
        if done % step < 1000 and done > 1000:
            report(f"org {spec.name}: {done:,} of {spec.scale:,} deals")

    return hear
