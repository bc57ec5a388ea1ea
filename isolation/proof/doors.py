"""Ways around a table's policies: views, functions, triggers, rules, sequences, publications, large objects, extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from isolation.proof.reading import HELD, LOGIN, NAME, OURS, OWNER, Cursor, Declared, rows
from isolation.proof.report import Finding, Function

# What an extension may do is known for these; any other could read files, other servers, or other sessions' statements.
KNOWN_EXTENSIONS = frozenset({"plpgsql", "pg_trgm"})

_OF_EXTENSION = "EXISTS (SELECT FROM pg_depend d WHERE d.objid = {oid} AND d.deptype = 'e')"
_RELATIONS = f"""
SELECT {NAME} c.relname AS name, c.relkind::text AS kind,
       coalesce((SELECT option_value::boolean FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker'), false) AS is_invoker,
       {HELD.format(acl="c.relacl", kind="r", owner="c.relowner")}::text AS grants_json
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm', 'f') AND {OURS} ORDER BY 1
"""
_SEQUENCES = f"""
SELECT {NAME} c.relname AS name, {HELD.format(acl="c.relacl", kind="s", owner="c.relowner")}::text AS grants_json
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {OURS} ORDER BY 1
"""
_FUNCTIONS = f"""
SELECT {NAME} p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name, pg_get_userbyid(p.proowner)::text AS owner,
       p.prosecdef AS is_definer, p.proleakproof AS is_leakproof,
       coalesce((SELECT split_part(one, '=', 2) FROM unnest(p.proconfig) AS one WHERE one LIKE 'search_path=%%'), '') AS search_path,
       {HELD.format(acl="p.proacl", kind="f", owner="p.proowner")}::text AS grants_json
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OURS} AND NOT {_OF_EXTENSION.format(oid="p.oid")} ORDER BY 1
"""
# Functions of the server that are known to tell their arguments in errors. A superuser can declare them leak-proof.
_LEAKY = """
SELECT oid::regprocedure::text AS name FROM pg_proc WHERE proleakproof AND pronamespace = 'pg_catalog'::regnamespace
AND (proname IN ('numeric_eq', 'numeric_gt', 'numeric_lt', 'numeric_div', 'texticlike', 'textlike', 'textregexeq', 'jsonb_contains',
                 'jsonb_eq', 'enum_eq', 'int4div', 'int8div', 'int4pl', 'int8pl', 'array_eq', 'lower', 'substring', 'int4in', 'format')
     OR provolatile = 'v') ORDER BY 1
"""
_TRIGGERS = f"""
SELECT t.tgname AS name, {NAME} c.relname AS place FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND {OURS} ORDER BY 2, 1
"""
_RULES = f"""
SELECT r.rulename AS name, {NAME} c.relname AS place FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND {OURS} ORDER BY 2, 1
"""


def read(cursor: Cursor, declared: Declared) -> tuple[list[Function], list[Finding]]:
    """Every function with its owner's rights, and what lies open."""
    functions, findings = _functions(cursor)
    for find in (_relations, _sequences, _leaky, _triggers, _rules):
        findings += find(cursor, declared)
    return functions, findings + [one for find in _THINGS for one in find(cursor)]


def _open_to(grants: dict[str, list[str]], declared: Declared) -> list[str]:
    return sorted(grants.keys() & (declared.roles | {LOGIN, "PUBLIC"}))


def _relations(cursor: Cursor, declared: Declared) -> Iterator[Finding]:
    for row in rows(cursor, _RELATIONS):
        name, readers = row["name"], ", ".join(_open_to(row["grants"], declared))
        if row["kind"] == "v" and not row["is_invoker"]:
            remedy = f"run ALTER VIEW {name} SET (security_invoker = true)"
            yield Finding("view", name, "reads with its owner's rights, past the reader's policies", remedy)
        elif row["kind"] == "m" and readers:
            remedy = f"run REVOKE ALL ON {name} FROM {readers}"
            yield Finding(
                "materialised-view", name, f"holds all tenants' rows and is open to {readers}", remedy
            )
        elif row["kind"] == "f" and readers:
            remedy = f"run REVOKE ALL ON {name} FROM {readers}"
            yield Finding("foreign-table", name, f"has no policies and is open to {readers}", remedy)


def _sequences(cursor: Cursor, declared: Declared) -> Iterator[Finding]:
    for row in rows(cursor, _SEQUENCES):
        if readers := ", ".join(_open_to(row["grants"], declared)):
            remedy = f"run REVOKE ALL ON SEQUENCE {row['name']} FROM {readers} (identity columns need no right on it)"
            yield Finding("sequence", row["name"], f"tells {readers} how many rows all tenants added", remedy)


def _functions(cursor: Cursor) -> tuple[list[Function], list[Finding]]:
    functions: list[Function] = []
    findings: list[Finding] = []
    for row in rows(cursor, _FUNCTIONS):
        callers = tuple(sorted(role for role in row["grants"] if role != row["owner"]))
        function = Function(row["name"], row["owner"], row["search_path"], callers)
        if row["is_definer"]:
            functions.append(function)
            findings += _definer(function)
        if row["owner"] != OWNER:
            remedy = f"run ALTER FUNCTION {function.name} OWNER TO {OWNER}"
            findings.append(Finding("function", function.name, f"belongs to {function.owner}", remedy))
        if row["is_leakproof"]:
            remedy = f"run ALTER FUNCTION {function.name} NOT LEAKPROOF"
            findings.append(Finding("leak-proof", function.name, "runs before a table's policies", remedy))
    return functions, findings


def _definer(function: Function) -> Iterator[Finding]:
    path = [part.strip(' "') for part in function.search_path.split(",")]
    if path[-1] != "pg_temp" or "pg_temp" in path[:-1]:
        problem = "runs with its owner's rights and finds names where its caller says"
        remedy = f"run ALTER FUNCTION {function.name} SET search_path = pg_catalog, pg_temp"
        yield Finding("definer", function.name, problem, remedy)
    if "PUBLIC" in function.callers:
        remedy = f"run REVOKE EXECUTE ON FUNCTION {function.name} FROM PUBLIC"
        yield Finding("definer", function.name, "runs with its owner's rights for everybody", remedy)


def _leaky(cursor: Cursor, declared: Declared) -> Iterator[Finding]:
    for row in rows(cursor, _LEAKY):
        problem = "is declared leak-proof and is not, so it runs before a table's policies and tells what it saw in errors"
        yield Finding("leak-proof", row["name"], problem, f"run ALTER FUNCTION {row['name']} NOT LEAKPROOF")


def _triggers(cursor: Cursor, declared: Declared) -> Iterator[Finding]:
    for row in rows(cursor, _TRIGGERS):
        if row["place"] in declared.tables:
            name, remedy = row["name"], f"run DROP TRIGGER {row['name']} ON {row['place']}"
            problem = f"trigger {name} sees every row that is written"
            yield Finding("trigger", row["place"], problem, remedy, thing=name)


def _rules(cursor: Cursor, declared: Declared) -> Iterator[Finding]:
    for row in rows(cursor, _RULES):
        remedy = f"run DROP RULE {row['name']} ON {row['place']}"
        problem = f"rule {row['name']} turns statements into others that run with the owner's rights"
        yield Finding("rule", row["place"], problem, remedy)


def _listed(kind: str, sql: str, problem: str, remedy: str) -> Callable[[Cursor], Iterator[Finding]]:
    """A finding for each row of ``sql``, which gives one ``name``."""

    def find(cursor: Cursor) -> Iterator[Finding]:
        for row in rows(cursor, sql, known_extensions=sorted(KNOWN_EXTENSIONS)):
            yield Finding(kind, str(row["name"]), problem, remedy.format(name=row["name"]))

    return find


_THINGS = (
    _listed(
        "publication",
        "SELECT pubname AS name FROM pg_publication ORDER BY 1",
        "sends rows to other servers, where no policy holds",
        "run DROP PUBLICATION {name}",
    ),
    _listed(
        "event-trigger",
        "SELECT evtname AS name FROM pg_event_trigger ORDER BY 1",
        "runs a superuser's function at every change of a table",
        "run DROP EVENT TRIGGER {name}",
    ),
    _listed(
        "large-object",
        "SELECT 'large object ' || oid AS name FROM pg_largeobject_metadata ORDER BY oid LIMIT 20",
        "belongs to a role that all tenants share, so all of them read it",
        "look at where it comes from, and unlink it",
    ),
    _listed(
        "foreign-server",
        "SELECT srvname AS name FROM pg_foreign_server ORDER BY 1",
        "leads to tables that no policy guards",
        "run DROP SERVER {name} CASCADE",
    ),
    _listed(
        "extension",
        "SELECT extname AS name FROM pg_extension WHERE extname <> ALL (%(known_extensions)s) ORDER BY 1",
        "is an extension that nobody judged",
        "run DROP EXTENSION {name}, or judge it and add it to KNOWN_EXTENSIONS",
    ),
)
