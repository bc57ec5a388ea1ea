"""A subset of SOQL: one object, its fields and those of the records it refers to, conditions, order, limit."""

from sandbox.soql.parser import parse
from sandbox.soql.plan import Plan, compile_query

__all__ = ["Plan", "compile_query", "parse"]
