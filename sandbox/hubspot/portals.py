"""The portals of a server: which are wanted, and their files made or found again."""

import hashlib
import re
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from sandbox.clock import Clock
from sandbox.errors import SetupError
from sandbox.generate import GivenPerson, Order, read_people
from sandbox.hubspot.catalogue import Catalogue
from sandbox.hubspot.generate import generate_portal
from sandbox.hubspot.moments import milliseconds_at
from sandbox.hubspot.store import PortalStore, PortalWriter
from sandbox.hubspot.switches import Switches
from sandbox.hubspot.tokens import Client, Tokens
from sandbox.hubspot.traffic import Traffic
from sandbox.hubspot.webhooks import Webhooks
from sandbox.orgs import checked_scale

_LAYOUT = "2"
_SPEC = re.compile(r"([a-z0-9][a-z0-9-]{0,62})=(\d+):(\d+)(?::(.+))?")
Report = Callable[[str], None]


@dataclass(frozen=True)
class PortalSpec:
    """A portal that is wanted."""

    name: str
    scale: int
    seed: int
    people: tuple[GivenPerson, ...] = ()


@dataclass
class Portal:
    """A portal that is served."""

    name: str
    portal_id: int
    store: PortalStore
    clock: Clock
    tokens: Tokens
    switches: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        self.traffic = Traffic(lambda: self.switches, self.clock)
        self.catalogue = Catalogue(self.store)
        self.webhooks = Webhooks(self.portal_id, lambda: self.switches)

    def now_ms(self) -> int:
        """The portal's present moment."""
        return milliseconds_at(self.clock.now())

    @property
    def domain(self) -> str:
        """The portal's domain, as OAuth tells it."""
        return f"{self.name}.example"


Portals = Mapping[str, Portal]


def portal_spec_of(text: str) -> PortalSpec:
    """``NAME=SCALE:SEED[:PEOPLE.csv]``. Raises: SetupError."""
    match = _SPEC.fullmatch(text)
    if match is None:
        raise SetupError(
            f"--portal {text}: must read NAME=SCALE:SEED or NAME=SCALE:SEED:PEOPLE.csv, the name in small letters, digits and -"
        )
    name, scale, seed, people = match.groups()
    return PortalSpec(name, checked_scale(int(scale)), int(seed), read_people(Path(people)) if people else ())


def portal_specs(texts: Sequence[str]) -> list[PortalSpec]:
    """The portals of a command line. Raises: SetupError, where two have one name."""
    specs = [portal_spec_of(text) for text in texts]
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise SetupError(f"--portal {name}: is there more than once; give each portal a name of its own")
    return specs


def open_portals(
    specs: Sequence[PortalSpec], home: Path, today: date | None, report: Report
) -> dict[str, Portal]:
    """The portals of some specs, their files made where ``home`` has none. Raises: SetupError."""
    return {spec.name: _open(spec, home, today, report) for spec in specs}


def _open(spec: PortalSpec, home: Path, today: date | None, report: Report) -> Portal:
    path = _path_of(spec, home, today)
    try:
        if not path.exists():
            report(f"portal {spec.name}: making {path.name}")
            _build(spec, path, today or datetime.now(UTC).date(), report)
        store = PortalStore(path)
    except (sqlite3.Error, OSError) as error:
        raise SetupError(
            f"{path}: cannot be made or read ({error}); free some disk, or remove the file if it is damaged"
        ) from error
    return _portal(spec, store, Clock(today))


def _portal(spec: PortalSpec, store: PortalStore, clock: Clock) -> Portal:
    digest = hashlib.sha256(f"{spec.name}:{spec.scale}:{spec.seed}".encode()).digest()
    token = f"pat-na1-{uuid.UUID(bytes=digest[:16])}"
    client = Client(f"sandbox-portal-{spec.name}", f"sandbox-portal-secret-{spec.name}")
    row = store.row("SELECT body ->> 'userId' FROM owner WHERE archived = 0 ORDER BY id LIMIT 1")
    tokens = Tokens(store, lambda: milliseconds_at(clock.now()), token, client, int(row[0]) if row else 0)
    return Portal(spec.name, 10_000_000 + int.from_bytes(digest[:4]) % 40_000_000, store, clock, tokens)


def _path_of(spec: PortalSpec, home: Path, today: date | None) -> Path:
    people = hashlib.sha256(repr(spec.people).encode()).hexdigest()[:8]
    stem = f"portal-{spec.name}-{spec.scale}-{spec.seed}-{people}-{_LAYOUT}"
    earlier = sorted(home.glob(f"{stem}-[0-9]*.sqlite")) if today is None else []
    return earlier[-1] if earlier else home / f"{stem}-{today or datetime.now(UTC).date()}.sqlite"


def _build(spec: PortalSpec, path: Path, today: date, report: Report) -> None:
    writer = PortalWriter(path)
    try:
        order = Order(spec.scale, spec.seed, today, spec.people, f"{spec.name}.example")
        generate_portal(order, writer, _progress(spec, report))
        writer.finish({"today": today.isoformat()})
    except BaseException:
        writer.abandon()
        raise


def _progress(spec: PortalSpec, report: Report) -> Callable[[int], None]:
    """Speaks at every tenth of a large portal, and not at all for a small one."""
    step = max(spec.scale // 10, 10_000)

    def hear(done: int) -> None:
        if done % step < 1000 and done > 1000:
            report(f"portal {spec.name}: {done:,} of {spec.scale:,} deals")

    return hear
