"""All that one server holds, and how a request finds its part of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from sandbox.bulk import Jobs
from sandbox.cursors import Cursors
from sandbox.errors import invalid_session
from sandbox.faults import Faults
from sandbox.hubspot.portals import Portals
from sandbox.late import settle
from sandbox.oauth import Session, Sessions
from sandbox.orgs import Org


@dataclass
class World:
    """The organisations of a server, and what is shared between them."""

    orgs: Mapping[str, Org]
    sessions: Sessions
    jobs: Jobs
    cursors: Cursors
    faults: Faults
    portals: Portals = field(default_factory=dict)

    @classmethod
    def of(cls, orgs: Mapping[str, Org], spool: Path, portals: Portals | None = None) -> "World":
        """A world of these organisations that keeps results in ``spool``."""
        faults = Faults()
        return cls(orgs, Sessions(orgs), Jobs(spool, faults), Cursors(spool), faults, portals or {})

    def expire(self, name: str | None) -> None:
        """End the access tokens of the organisation of that name, or of all."""
        for org in [self.orgs[name]] if name else self.orgs.values():
            self.sessions.expire(org)

    def close(self) -> None:
        """Remove what was only for this run."""
        for portal in self.portals.values():
            portal.webhooks.close()
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

    Raises: ApiError INVALID_SESSION_ID, REQUEST_LIMIT_EXCEEDED.
    """
    session = world_of(request).sessions.session_of(request.headers.get("authorization", ""))
    if request.state.org_name not in {None, session.org.name}:
        raise invalid_session()
    request.state.org = session.org
    if request.url.path.startswith("/services/data/"):
        session.check_data()
    if not getattr(request.state, "is_in_batch", False):
        session.org.usage.count_call(session.org.rules.limits, session.org.clock.now())
    settle(session.org)
    return session
