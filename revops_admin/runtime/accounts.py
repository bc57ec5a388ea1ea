"""Which operating-system account the embedded servers run as.

PostgreSQL refuses to run as root. As root the servers therefore become ``postgres`` or ``nobody``; where
that account cannot reach the files (below a 0700 home directory), it keeps the one capability that lets it
pass, or becomes somebody else in a user namespace only.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from revops_admin.runtime.errors import RuntimeProblem

_REACH = 'cd "$1" && test -x "$2" && "$2" --version'


class Identity(TypedDict, total=False):
    """The keyword arguments of ``subprocess.Popen`` that change who a program runs as."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """How to run a server's programs, and whom its files belong to (``None``: whoever we are)."""

    prefix: tuple[str, ...] = ()
    identity: Identity = field(default_factory=Identity)
    owner: tuple[int, int] | None = None

    def command(self, *argv: str | Path) -> list[str]:
        """Return ``argv`` as it has to be started."""
        return [*self.prefix, *map(str, argv)]

    def own(self, path: Path) -> None:
        """Hand ``path`` over to the account."""
        if self.owner is not None:
            os.chown(path, *self.owner)


def choose(binary: Path, directory: Path) -> Account:
    """Return the account under which ``binary`` can work in ``directory``.

    Raises: RuntimeProblem, where we are root and no other account can get there.
    """
    if os.geteuid() != 0:
        return Account()
    for account in _candidates():
        if _reaches(account, binary, directory):
            return account
    raise RuntimeProblem(
        f"PostgreSQL does not run as root, and no other account can reach {directory} and {binary}. "
        "Run as an ordinary user, move the program below a directory that all may enter, or set DATABASE_URL."
    )


def _candidates() -> list[Account]:
    user = _unprivileged()
    owner = (user.pw_uid, user.pw_gid)
    plain = Account(identity=Identity(user=user.pw_uid, group=user.pw_gid, extra_groups=[]), owner=owner)
    found = [plain]
    if setpriv := shutil.which("setpriv"):
        drop = (setpriv, "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups")
        reach = ("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override")
        # The capability works from the next exec on, hence a shell between setpriv and the server.
        found.append(Account((*drop, *reach, "/bin/sh", "-c", 'exec "$0" "$@"'), owner=owner))
    if unshare := shutil.which("unshare"):
        # Files still belong to root here: only the name of the user changes.
        found.append(Account((unshare, "-U", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")))
    return found


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeProblem(
        "PostgreSQL does not run as root, and this system has neither user postgres nor nobody."
    )


def _reaches(account: Account, binary: Path, directory: Path) -> bool:
    probe = account.command("/bin/sh", "-c", _REACH, "sh", directory, binary)
    return (
        subprocess.run(probe, cwd="/", capture_output=True, check=False, **account.identity).returncode == 0
    )
