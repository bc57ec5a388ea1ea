"""The command line."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import FrameType

import uvicorn

from sandbox.app import make_app
from sandbox.errors import SetupError
from sandbox.generate import read_people
from sandbox.hubspot.portals import PortalSpec, open_portals, portal_specs
from sandbox.orgs import LARGEST_SCALE, Org, OrgSpec, checked_scale, open_org, spec_of
from sandbox.world import World

_DESCRIPTION = """\
A local server that speaks Salesforce's protocols (OAuth, REST, Bulk API 2.0) over a made-up sales organisation
or over your own CSV files, and HubSpot's over made-up portals. For trying and testing connectors; nothing in it reaches a real CRM."""
_EPILOG = """\
examples:
  python -m sandbox --port 8001                            2,000 made-up deals
  python -m sandbox --port 8001 --scale 100000 --seed 7    100,000 others
  python -m sandbox --port 8001 --data exports/            the CSV files User.csv, Account.csv, Opportunity.csv, …
  python -m sandbox --port 8001 --org acme=5000:1:people.csv --org beta=500:2
  python -m sandbox --port 8001 --portal acme=5000:1       a HubSpot portal, whose token it prints

Sign in with client id sandbox-NAME and secret sandbox-secret-NAME (NAME is "default" unless --org names others),
or by JWT with the private key that http://127.0.0.1:PORT/_sandbox/orgs/NAME/jwt_key gives.
Open http://127.0.0.1:PORT/ for the organisations and the commands for tests.

exit codes: 0 ended by Ctrl-C or SIGTERM, 2 something in the command line, a file, or the port does not do"""
_CANNOT_START = 2
_LONGEST_HEAD = 1 << 18  # an address that is too long must arrive to be refused


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add(
        "--port",
        type=int,
        required=True,
        metavar="P",
        help="port to listen on; 0 takes a free one and prints it",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="serve the CSV files of this directory, one an object, as they are",
    )
    add(
        "--scale",
        type=int,
        metavar="N",
        help=f"number of deals to make up, 1 to {LARGEST_SCALE:,} (default: 2000)",
    )
    add(
        "--seed",
        type=int,
        default=1,
        metavar="S",
        help="which made-up organisation of that scale (default: %(default)s)",
    )
    add(
        "--people",
        type=Path,
        metavar="FILE",
        help="CSV of Email,FirstName,LastName,ManagerEmail: the first users to make up",
    )
    add("--org", action="append", default=[], metavar="NAME=SCALE:SEED[:FILE]",
        help="an organisation of its own, with its people file; may be repeated")  # fmt: skip
    add("--portal", action="append", default=[], metavar="NAME=SCALE:SEED[:FILE]",
        help="a HubSpot portal beside the organisations; may be repeated")  # fmt: skip
    add(
        "--home",
        type=Path,
        metavar="DIR",
        help="where to keep the organisations (default: a temporary directory)",
    )
    add(
        "--today",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="the day that it is in the organisations",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to end; gives the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(message)s", stream=sys.stderr)
    try:
        specs, portals = _specs(options), portal_specs(options.portal)
        with _socket(options.host, options.port) as listener, _home(options.home) as home:
            return _run(options, specs, portals, listener, home)
    except SetupError as error:
        _say(str(error))
        return _CANNOT_START
    except KeyboardInterrupt:
        return 0


def _specs(options: argparse.Namespace) -> list[OrgSpec]:
    if options.data is not None and (options.scale is not None or options.people is not None):
        raise SetupError("--data serves what is there; it goes with neither --scale nor --people")
    specs = [spec_of(text) for text in options.org]
    if options.data is not None:
        specs.insert(0, OrgSpec("default", data=options.data))
    elif options.scale is not None or not specs:
        people = read_people(options.people) if options.people else ()
        scale = checked_scale(2000 if options.scale is None else options.scale)
        specs.insert(0, OrgSpec("default", scale, options.seed, people))
    elif options.people is not None:
        raise SetupError(
            "--people is for the default organisation; give the others theirs as --org NAME=SCALE:SEED:FILE"
        )
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise SetupError(
                f"--org {name}: is there more than once; give each organisation a name of its own"
            )
    return specs


@contextmanager
def _socket(host: str, port: int) -> Iterator[socket.socket]:
    """The port, taken before anything is made, so that a taken one shows at once; it does not listen yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends small answers at once only on sockets that say TCP: else 40 ms each.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SetupError(
                f"--port {port}: cannot be had on {host} ({reason}); choose a free one"
            ) from error
        yield listener


@contextmanager
def _home(home: Path | None) -> Iterator[Path]:
    if home is None:
        with tempfile.TemporaryDirectory(prefix="sandbox-crm-") as temporary:
            yield Path(temporary)
        return
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise SetupError(
            f"--home {home}: cannot be written to ({error.strerror}); choose a directory of yours"
        ) from error
    yield home


def _say(text: str) -> None:
    sys.stderr.write(f"sandbox: {text}\n")
    sys.stderr.flush()


def _run(
    options: argparse.Namespace,
    specs: Sequence[OrgSpec],
    wanted_portals: Sequence[PortalSpec],
    listener: socket.socket,
    home: Path,
) -> int:
    signal.signal(signal.SIGTERM, _end)
    orgs: dict[str, Org] = {spec.name: open_org(spec, home, options.today, _say) for spec in specs}
    portals = open_portals(wanted_portals, home, options.today, _say)
    port = listener.getsockname()[1]
    world = World.of(orgs, home / f"spool-{port}", portals)
    config = uvicorn.Config(
        make_app(world), log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=2, backlog=512, h11_max_incomplete_event_size=_LONGEST_HEAD,
    )  # fmt: skip
    for portal in portals.values():
        _say(f"portal {portal.name} {portal.portal_id}: token {portal.tokens.private_token}")
    _say(f"ready at http://{options.host}:{port}/ with {', '.join([*orgs, *portals])}")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
