"""``python -m revops_admin.runtime``: the commands behind the Makefile."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from revops_admin.runtime import checks, up
from revops_admin.runtime import home as homes
from revops_admin.runtime.database import bootstrap_from_environment
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.place import place
from revops_admin.runtime.proof import prove
from revops_admin.runtime.services import ensure_services, keep_services, running_services, stop_services
from revops_admin.runtime.welcome import is_healthy, welcome
from revops_admin.runtime.witnesses import witnesses

PROBLEM = 2


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code, 2 for what the user has to put right."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except RuntimeProblem as problem:
        print(problem, file=sys.stderr)
        return PROBLEM


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m revops_admin.runtime", description=__doc__)
    commands = parser.add_subparsers(required=True)
    services = commands.add_parser("services", help="PostgreSQL and Redis alone")
    services.add_argument("action", choices=("start", "stop", "status"))
    services.add_argument("--test", action="store_true", help="fast, not durable; home defaults to HOME/test")
    services.set_defaults(run=_services)
    for name, run, text in _PLAIN:
        commands.add_parser(name, help=text).set_defaults(run=run)
    reset = commands.add_parser("reset", help="end everything and delete the data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(run=lambda arguments: up.reset(homes.resolve(arguments.home), confirmed=arguments.yes))
    test = commands.add_parser("test", help="run the tests against servers of their own")
    test.add_argument("arguments", nargs="*", help="for pytest")
    test.set_defaults(run=lambda arguments: checks.test(homes.resolve(arguments.home), arguments.arguments))
    for command in commands.choices.values():
        command.add_argument("--home", help="default: REVOPS_HOME, else .local")
    return parser


def _services(arguments: argparse.Namespace) -> None:
    home = homes.resolve(arguments.home)
    if arguments.test and not arguments.home:
        home /= "test"
    {"start": _services_start, "stop": _services_stop, "status": _services_status}[arguments.action](
        home, arguments.test
    )


def _services_start(home: Path, test: bool) -> None:
    ensure_services(home, durable=not test)
    keep_services(home)
    _services_status(home, test)


def _services_stop(home: Path, _test: bool) -> None:
    ended = stop_services(home)
    print(f"Ended {' and '.join(ended)}." if ended else f"Nothing of {home} was running.")


def _services_status(home: Path, _test: bool) -> None:
    for name, line in running_services(home).items():
        print(f"{name}: {line}")


def _down(arguments: argparse.Namespace) -> None:
    home = homes.resolve(arguments.home)
    ended = up.down(home)
    print(f"Ended {' and '.join(ended)}." if ended else f"Nothing of {home} was running.")


def _bootstrap(_arguments: argparse.Namespace) -> None:
    bootstrap_from_environment()
    print("The database and its roles are ready.")


_PLAIN: tuple[tuple[str, Callable[[argparse.Namespace], int | None], str], ...] = (
    ("up", lambda arguments: up.up(homes.resolve(arguments.home)), "run everything until Ctrl-C"),
    ("down", _down, "end a running up, and the servers"),
    (
        "welcome",
        lambda arguments: welcome(place(homes.resolve(arguments.home))),
        "set the demo up (used by up)",
    ),
    ("check", lambda _arguments: checks.check(), "static checks"),
    ("prove", lambda _arguments: prove(), "migrate a server of its own and prove its wall (used by check)"),
    ("witnesses", lambda _arguments: witnesses(), "try the sandbox with clients that others wrote"),
    ("healthy", lambda _arguments: 0 if is_healthy() else 1, "whether the web process here answers"),
    ("bootstrap", _bootstrap, "make the database's roles on a server of yours"),
)


if __name__ == "__main__":
    sys.exit(main())
