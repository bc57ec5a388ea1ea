"""All that one server holds, and how a request finds its part of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from sandbox.bulk import Jobs
from sandbox.cursors import Cursors
from sandbox.errors import invalid_session
from sandbox.faults import Faults
from sandbox.oauth import Session, Sessions
from sandbox.orgs import Org

DAILY_API_REQUESTS = 100_000


@dataclass
class World:
    """The organisations of a server, and what is shared between them."""

    orgs: Mapping[str, Org]
    sessions: Sessions
    jobs: Jobs
    cursors: Cursors
    faults: Faults

    @classmethod
    def of(cls, orgs: Mapping[str, Org], spool: Path) -> "World":
        """A world of these organisations that keeps results in ``spool``."""
        faults = Faults()
        return cls(orgs, Sessions(orgs), Jobs(spool, faults), Cursors(spool), faults)

    def close(self) -> None:
        """Remove what was only for this run."""
        self.jobs.close()


class Json(Response):
    """A JSON answer."""

    media_type = "application/json;charset=UTF-8"

    def render(self, content: Any) -> bytes:
        """``content`` as JSON."""
        return msgspec.json.encode(content)


def world_of(request: Request) -> World:
    """The server's world."""
    world: World = request.app.state.world
    return world


def session_of(request: Request) -> Session:
    """Who asks. Below ``/orgs/NAME`` the token must be of that organisation; at the root the token decides.

    Raises: ApiError INVALID_SESSION_ID.
    """
    session = world_of(request).sessions.session_of(request.headers.get("authorization", ""))
    if request.state.org_name not in {None, session.org.name}:
        raise invalid_session()
    request.state.org = session.org
    session.org.api_calls += 1
    return session
