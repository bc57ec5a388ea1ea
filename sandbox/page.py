"""The page at ``/`` that says what this server is."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.hubspot.page import commands as portal_commands
from sandbox.hubspot.page import portal_section
from sandbox.login import base_url
from sandbox.orgs import Org
from sandbox.world import world_of

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.75rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p.lead { margin: 0; opacity: .8; max-width: 46rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: .5rem 0 1rem; }
dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; } code { font: .9em ui-monospace, monospace; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; min-width: 22rem; }
th, td { text-align: left; padding: .3rem 1.25rem .3rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
"""
_COMMANDS = (
    ("create, update, delete, undelete", "change a record as a user of the CRM would"),
    ("merge, empty_bin", "merge duplicates, empty the recycle bin"),
    ("late", "a change stamped now that others see only some seconds later"),
    (
        "schema?object=Opportunity",
        "add, remove, rename, retype or hide a field, change a picklist, hide an object",
    ),
    ("oddities", "odd data: equal stamps, awkward names, days of clock changes"),
    (
        "fault, faults, faults/clear",
        "let coming requests fail: status, timeout, cut, slow, token_expired, job_failed, job_aborted",
    ),
    ("oauth, jwt_key", "how signing in works; the private key for signing in by JWT"),
    ("limits, behaviour", "limits of calls and jobs, how stamps and change lists behave"),
    ("expire_tokens", "end all access tokens"),
    ("clock", "fix or advance the organisation's time, hold latestDateCovered back"),
    ("bulk_job_delay, bulk_page_delay", "make each Bulk job, or each result page, wait"),
    ("stats, stats/traffic", "calls so far by path and status; the most in flight and in a second"),
    ("snapshot?object=Opportunity&deleted=1", "all rows of an object as CSV"),
    ("people", "who sells, below whom, and how many deals each owns"),
)


def _row_counts(org: Org) -> str:
    lines = [
        f'<tr><td>{escape(name)}</td><td class="number">{org.database.count(name):,}</td></tr>'
        for name in org.database.objects
    ]
    head = '<thead><tr><th scope="col">Object</th><th scope="col" class="number">Records</th></tr></thead>'
    return f'<div class="scroll"><table>{head}<tbody>{"".join(lines)}</tbody></table></div>'


def _org_section(org: Org, base: str) -> str:
    control = f"/_sandbox/orgs/{org.name}"
    facts = (
        ("Client id", f"<code>{escape(org.client_id)}</code>"),
        ("Client secret", f"<code>{escape(org.client_secret)}</code>"),
        ("Instance address", f"<code>{escape(base)}/orgs/{escape(org.name)}</code>"),
        ("Its time", f"{org.clock.now():%Y-%m-%d %H:%M:%S} UTC"),
        ("See", f'<a href="{control}/people">people</a>, <a href="{control}/stats">calls so far</a>'),
    )
    shown = "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in facts)
    return f"<section><h2>Organisation “{escape(org.name)}”</h2><dl>{shown}</dl>{_row_counts(org)}</section>"


def _home(request: Request) -> Response:
    base = base_url(request)
    sections = "".join(_org_section(org, base) for org in world_of(request).orgs.values())
    portals = world_of(request).portals.values()
    sections += "".join(portal_section(portal, base) for portal in portals)
    commands = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{escape(what)}</dd>" for name, what in _COMMANDS
    )
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Sandbox CRM</title>'
        f"<style>{_STYLE}</style></head><body><header><h1>Sandbox CRM</h1>"
        '<p class="lead">A play server that speaks Salesforce’s protocols: OAuth, REST, Bulk API 2.0, and beside it HubSpot’s. What it serves is made up, '
        "or read from the CSV files that it was started with; nothing here reaches a real CRM.</p></header>"
        f"<main>{sections}<section><h2>Commands for tests</h2><p>Below <code>/_sandbox/</code> for the first organisation, below "
        f"<code>/_sandbox/orgs/NAME/</code> for any.</p><dl>{commands}</dl>{portal_commands() if portals else ''}"
        '<p><a href="/_sandbox/health">Health</a> · <a href="/services/data">API versions</a></p></section></main></body></html>'
    )


ROUTES: list[BaseRoute] = [Route("/", _home)]
