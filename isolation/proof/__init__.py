"""The proof of the wall: what PostgreSQL's catalogue really holds, judged rule by rule.

``examine`` reads the live catalogue in one pass and answers with a ``Report``: every table with what protects it, and a
``Finding`` for whatever does not hold. Nothing of a tenant is read, so any login that can connect may run it.
"""

from isolation.proof.accepted import ACCEPTED
from isolation.proof.examination import declared, examine, examine_database
from isolation.proof.reading import Declared
from isolation.proof.report import Accepted, Finding, Function, Level, Policy, Report, RoleFacts, TableFacts

__all__ = [
    "ACCEPTED",
    "Accepted",
    "Declared",
    "Finding",
    "Function",
    "Level",
    "Policy",
    "Report",
    "RoleFacts",
    "TableFacts",
    "declared",
    "examine",
    "examine_database",
]
