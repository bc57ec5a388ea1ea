"""What the page at ``/`` says about portals."""

from html import escape

from sandbox.hubspot.kinds import KINDS
from sandbox.hubspot.portals import Portal

COMMANDS = (
    (
        "create, update, archive, restore, forget, merge",
        "change a record as a user of HubSpot would; forget leaves no trace",
    ),
    ("associate, part", "associate records, or end that"),
    ("restamp, oddities", "give many records one and the same stamp; awkward names, days of clock changes"),
    ("switches", "limits, search lag, unstable sorts, Retry-After, lifetime of access tokens, …"),
    ("scopes, expire_tokens, revoke_token", "take scopes away; end access tokens now or after so many calls"),
    ("schema", "add, remove, retype a property, change its options"),
    ("webhooks, webhooks/settle", "send signed events to an address; wait until they are delivered"),
    ("fault, faults, faults/clear, clock, people", "as for organisations"),
    ("stats", "calls by path and status, refusals, and the peaks in ten seconds and in one"),
    (
        "snapshot?object=deals&archived=1",
        "all records with their associations, a JSON object a line; history=dealstage adds the past",
    ),
)


def portal_section(portal: Portal, base: str) -> str:
    """A portal's token and addresses, and how much there is in it."""
    control, client = f"/_sandbox/portals/{portal.name}", portal.tokens.client
    facts = (
        ("Private app token", f"<code>{portal.tokens.private_token}</code>"),
        ("Client id", f"<code>{client.client_id}</code>"),
        ("Client secret", f"<code>{client.client_secret}</code>"),
        ("API address", f"<code>{escape(base)}/portals/{portal.name}</code>"),
        ("Its time", f"{portal.clock.now():%Y-%m-%d %H:%M:%S} UTC"),
        ("See", f'<a href="{control}/people">people</a>, <a href="{control}/stats">calls so far</a>'),
    )
    shown = "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in facts)
    lines = "".join(
        f'<tr><td>{name}</td><td class="number">{portal.store.count(name):,}</td></tr>' for name in KINDS
    )
    head = '<thead><tr><th scope="col">Kind</th><th scope="col" class="number">Records</th></tr></thead>'
    table = f'<div class="scroll"><table>{head}<tbody>{lines}</tbody></table></div>'
    return f"<section><h2>Portal “{portal.name}”, {portal.portal_id}</h2><dl>{shown}</dl>{table}</section>"


def commands() -> str:
    """The commands for tests of portals."""
    listed = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{escape(what)}</dd>" for name, what in COMMANDS
    )
    return f"<p>Of portals, below <code>/_sandbox/portals/NAME/</code>:</p><dl>{listed}</dl>"
