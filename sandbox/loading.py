"""A directory of CSV files, one an object, into an organisation's file.

Values are kept as given, bad ones too. Only the spelling of well-formed datetimes and booleans is made one, because the protocols decide
how those are written, not the file.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sandbox.clock import stamp
from sandbox.database import DatabaseWriter
from sandbox.errors import SetupError
from sandbox.schema import STANDARD, SObject, unknown_object
from sandbox.values import storing

_NAME = re.compile(r"[A-Za-z]\w*")
_LONGEST_VALUE = 10_000_000


def files_of(directory: Path) -> list[Path]:
    """The CSV files of a data directory, by name. Raises: SetupError, where there are none or it cannot be read."""
    if not directory.is_dir():
        raise SetupError(
            f"--data {directory}: no such directory; give one that holds User.csv, Account.csv, Opportunity.csv, …"
        )
    try:
        found = sorted(path for path in directory.iterdir() if path.suffix == ".csv" and path.is_file())
    except OSError as error:
        raise SetupError(f"--data {directory}: cannot be read ({error.strerror})") from error
    if not found:
        raise SetupError(
            f"--data {directory}: holds no .csv file; name one file after each object, such as Opportunity.csv"
        )
    return found


def fingerprint(directory: Path) -> str:
    """The same for two directories exactly if their CSV files are."""
    digest = hashlib.sha256()
    for path in files_of(directory):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def load_directory(directory: Path, writer: DatabaseWriter, now: datetime) -> None:
    """Fill ``writer`` with the directory's rows; objects that have no file are there, and empty."""
    standard = {name.lower(): name for name in STANDARD}
    files = {standard.get(path.stem.lower(), path.stem): path for path in files_of(directory)}
    for name in [*STANDARD, *sorted(set(files) - set(STANDARD))]:
        sobject = STANDARD.get(name) or unknown_object(_checked_name(files[name]))
        if name in files:
            _load_file(files[name], sobject, writer, now)
            if _holds_nul(files[name]):
                writer.note_nul()
        else:
            writer.add_object(sobject)


def _holds_nul(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b"\0" in block for block in iter(lambda: file.read(1 << 20), b""))


def _checked_name(path: Path) -> str:
    if not _NAME.fullmatch(path.stem):
        raise SetupError(
            f"{path}: is not named after an object; an object's name is letters, digits and _, such as Opportunity.csv"
        )
    return path.stem


def _load_file(path: Path, sobject: SObject, writer: DatabaseWriter, now: datetime) -> None:
    csv.field_size_limit(_LONGEST_VALUE)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        try:
            columns = _columns(path, next(reader, []), sobject)
            known = sobject.with_columns(columns)
            writer.add_object(known)
            writer.insert(known, columns, _rows(path, reader, known, columns))
        except (csv.Error, UnicodeDecodeError) as error:
            raise SetupError(f"{path}: is not CSV in UTF-8 (line {reader.line_num}: {error})") from error
    _fill_gaps(known, writer, now)


def _columns(path: Path, header: Sequence[str], sobject: SObject) -> list[str]:
    """The header as field names, spelt as the object spells those that it knows."""
    for title in header:
        if not _NAME.fullmatch(title):
            raise SetupError(
                f"{path}: the header has {title!r}, which is no Salesforce field name; "
                "a header is names such as Id,StageName,Region__c"
            )
    names = [found.name if (found := sobject.field(title)) else title for title in header]
    twice = {name for name in names if [each.lower() for each in names].count(name.lower()) > 1}
    if twice:
        raise SetupError(f"{path}: the header has {min(twice)} more than once; name each field once")
    if "Id" not in names:
        raise SetupError(f"{path}: the header has no Id; every record needs its Salesforce id")
    compound = [name for name in names if (found := sobject.field(name)) and found.type == "address"]
    if compound:
        raise SetupError(
            f"{path}: {compound[0]} is a compound field; give its parts, such as BillingCity, instead"
        )
    return names


def _rows(
    path: Path, reader: Iterator[list[str]], sobject: SObject, columns: Sequence[str]
) -> Iterator[list[str | None]]:
    cells = [storing(sobject.field(column)) for column in columns]
    for number, values in enumerate(reader, start=2):
        if not values:
            continue
        if len(values) != len(columns):
            raise SetupError(
                f"{path}: record {number} has {len(values)} values where the header has {len(columns)}"
            )
        yield [cell(value) for cell, value in zip(cells, values, strict=True)]


def _fill_gaps(sobject: SObject, writer: DatabaseWriter, now: datetime) -> None:
    """What every real record has, where the file leaves it out: a moment falls back on the nearest one before it."""
    moments = [
        name for name in ("CreatedDate", "LastModifiedDate", "SystemModstamp") if name in sobject.fields
    ]
    for place, name in enumerate(moments):
        earlier = ", ".join(f'"{each}"' for each in reversed(moments[: place + 1]))
        _fill(sobject, name, f"coalesce({earlier}, '{stamp(now)}')", writer)
    if sobject.has_recycle_bin:
        _fill(sobject, "IsDeleted", "'false'", writer)


def _fill(sobject: SObject, name: str, value: str, writer: DatabaseWriter) -> None:
    writer.run(f'UPDATE "{sobject.name}" SET "{name}" = {value} WHERE "{name}" IS NULL')
