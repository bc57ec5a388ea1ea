"""The shapes that views hand to templates.

A view builds one of these from services and selectors; the components under ``templates/components/`` read them and decide
nothing. Every value is ready to show: text is in the reader's words, money and times are already formatted, addresses are
already reversed. That keeps templates free of logic and lets a test check a page without parsing its HTML.

Pure Python on purpose: no models, no requests, so that any app may import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar
from zlib import crc32

Tone = Literal["neutral", "info", "good", "warning", "danger", "brand"]
"""What a colour means. Colour never stands alone: everything with a tone also carries text."""

Align = Literal["start", "center", "end"]
SortDirection = Literal["asc", "desc"]
FieldKind = Literal["select", "multi", "search", "number", "date"]
Row = TypeVar("Row")


# The frame of a page


@dataclass(frozen=True, slots=True)
class NavEntry:
    """One line of the sidebar. ``icon`` names a symbol of the icon sprite; ``badge`` is a count or short word."""

    label: str
    url: str
    icon: str
    is_active: bool = False
    badge: str = ""
    section: str = ""
    """Heading above this and the following entries; entries of one section stand together."""


@dataclass(frozen=True, slots=True)
class WorkspaceLink:
    """A workspace that the signed-in person may open. ``role`` is the person's role there, in words."""

    name: str
    url: str
    role: str = ""
    is_current: bool = False

    @property
    def initial(self) -> str:
        """The letter that stands for the workspace where there is no room for its name."""
        return self.name[:1].upper()


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step of the way back; the page itself is not among its own crumbs."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a page. GET actions are links; POST actions are forms with a CSRF token.

    ``confirm`` is the question asked first; leave it empty for what can be undone.
    """

    label: str
    url: str
    icon: str = ""
    method: Literal["get", "post"] = "get"
    kind: Literal["primary", "secondary", "danger"] = "secondary"
    confirm: str = ""

    @property
    def dialog_id(self) -> str:
        """The id of the question's dialog: one per address, so that a page may hold several."""
        return f"confirm-{crc32(self.url.encode()):08x}"


# Parts


@dataclass(frozen=True, slots=True)
class Badge:
    """A state in one or two words. ``icon`` may be left out; the text may not."""

    label: str
    tone: Tone = "neutral"
    icon: str = ""


HEALTH_BADGES: Mapping[str, Badge] = MappingProxyType(
    {
        "critical": Badge("Critical", "danger", "alert-octagon"),
        "at_risk": Badge("At risk", "warning", "alert-triangle"),
        "monitor": Badge("Monitor", "info", "eye"),
        "healthy": Badge("Healthy", "good", "circle-check"),
    }
)
"""The four health bands, so that they look the same on every page."""

SEVERITY_BADGES: Mapping[str, Badge] = MappingProxyType(
    {
        "critical": Badge("Critical", "danger", "alert-octagon"),
        "warning": Badge("Warning", "warning", "alert-triangle"),
        "info": Badge("Info", "info", "info-circle"),
    }
)
"""The severities of alerts."""

STATE_BADGES: Mapping[str, Badge] = MappingProxyType(
    {
        "queued": Badge("Queued", "neutral", "clock"),
        "running": Badge("Running", "brand", "refresh"),
        "succeeded": Badge("Succeeded", "good", "check"),
        "failed": Badge("Failed", "danger", "alert-circle"),
        "cancelled": Badge("Cancelled", "neutral", "circle-x"),
        "active": Badge("Active", "good", "check"),
        "paused": Badge("Paused", "neutral", "clock"),
        "disabled": Badge("Disabled", "neutral", "circle-x"),
    }
)
"""What jobs, connections and rules are in; an app adds its own words beside these."""


@dataclass(frozen=True, slots=True)
class Trend:
    """How a number moved: ``label`` says by how much and since when, ``tone`` whether that is good."""

    label: str
    direction: Literal["up", "down", "flat"]
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Stat:
    """A number that matters, its name, and what to make of it. ``href`` leads to the rows behind it."""

    label: str
    value: str
    hint: str = ""
    trend: Trend | None = None
    href: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class EmptyState:
    """What a list says when it has no rows: why, and what to do about it."""

    title: str
    text: str = ""
    icon: str = "inbox"
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A term and its value; ``value`` may be a :class:`Badge` or safe HTML, and ``href`` makes it a link."""

    term: str
    value: str | Badge
    href: str = ""

    @property
    def badge(self) -> Badge | None:
        """The value, where it is a badge."""
        return self.value if isinstance(self.value, Badge) else None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Something that happened. ``when`` is shown, ``instant`` is its ISO 8601 form for machines."""

    title: str
    when: str
    instant: str
    text: str = ""
    actor: str = ""
    icon: str = ""
    tone: Tone = "neutral"
    href: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A job under way. While ``poll_url`` is set the page asks it every two seconds for this component again."""

    id: str
    label: str
    percent: int | None
    """0 to 100, or None while the whole is not known yet."""
    detail: str = ""
    poll_url: str = ""
    tone: Tone = "brand"


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One factor of a score: ``points`` reached of ``maximum``, and the sentence that says why."""

    label: str
    points: float
    maximum: float
    reason: str = ""

    @property
    def percent(self) -> str:
        """Width of the bar, in percent with one decimal."""
        share = self.points / self.maximum if self.maximum else 0.0
        return f"{max(0.0, min(1.0, share)) * 100:.1f}"


@dataclass(frozen=True, slots=True)
class Score:
    """A score from 0 to 100 with its band and its parts, as the page explains it."""

    value: float
    band: Badge
    parts: Sequence[ScorePart] = ()

    @property
    def percent(self) -> str:
        """Width of the bar, in percent with one decimal."""
        return f"{max(0.0, min(100.0, self.value)):.1f}"

    @property
    def text(self) -> str:
        """The score as people read it: no decimals."""
        return f"{self.value:.0f}"


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars. ``texts`` are the same values as they should be read, in the same order.

    ``hrefs``, where given, make each bar lead to the rows behind it.
    """

    name: str
    values: Sequence[float | None]
    texts: Sequence[str] = ()
    tone: Tone = "brand"
    hrefs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One line of the table that stands in for a chart."""

    label: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot and, from the same numbers, the table for those who cannot or would rather not see it.

    ``title`` names what is plotted, ``summary`` says in one sentence what it shows. Bars run sideways ("bar"), upwards
    ("column") or on top of each other ("stacked"); "line" is for time.
    """

    id: str
    kind: Literal["bar", "column", "stacked", "line"]
    title: str
    summary: str
    labels: Sequence[str]
    series: Sequence[Series]
    label_heading: str = ""

    def __post_init__(self) -> None:
        """Refuse series that do not fit the labels: a chart that is off by one misleads in silence."""
        for series in self.series:
            for given in (series.values, series.texts, series.hrefs):
                if given and len(given) != len(self.labels):
                    raise ValueError(
                        f"Series {series.name!r} has {len(given)} values for {len(self.labels)} labels."
                    )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to plot."""
        return not self.labels or not any(value is not None for s in self.series for value in s.values)

    @property
    def data_id(self) -> str:
        """The id of the element that carries the numbers."""
        return f"{self.id}-data"

    @property
    def data(self) -> dict[str, Any]:
        """What ``static/js/charts.js`` reads, ready for ``json_script``."""
        return {
            "kind": self.kind,
            "labels": list(self.labels),
            "series": [
                {
                    "name": s.name,
                    "values": list(s.values),
                    "texts": self._texts(s),
                    "tone": s.tone,
                    "hrefs": list(s.hrefs),
                }
                for s in self.series
            ],
        }

    @property
    def rows(self) -> list[ChartRow]:
        """The rows of the stand-in table."""
        columns = [self._texts(s) for s in self.series]
        return [ChartRow(label, [column[i] for column in columns]) for i, label in enumerate(self.labels)]

    @staticmethod
    def _texts(series: Series) -> list[str]:
        if series.texts:
            return list(series.texts)
        return ["–" if value is None else f"{value:g}" for value in series.values]


# Lists


@dataclass(frozen=True, slots=True)
class Column:
    """A column head. ``sort_url`` sorts by it, or turns the order round where the list is ``sorted`` by it already."""

    label: str
    sort_url: str = ""
    sorted: SortDirection | None = None
    align: Align = "start"
    is_label_hidden: bool = False
    """For columns of buttons: the label is read out but not shown."""

    @property
    def aria_sort(self) -> str:
        """The value of the ``aria-sort`` attribute, empty where the list is not sorted by this column."""
        return {"asc": "ascending", "desc": "descending"}.get(self.sorted or "", "")


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """One page of rows. ``row_template`` renders the ``<tr>`` of each; it sees ``row`` and the page's own context.

    Keyset paging: there is a next and a previous page, never a page number, so ``count_label`` says what is known
    ("1 to 50 of 1,204 deals", "The first 50 deals").
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    row_template: str
    count_label: str = ""
    next_url: str = ""
    previous_url: str = ""
    export_url: str = ""
    empty: EmptyState = EmptyState("Nothing here yet.")

    @property
    def is_sortable(self) -> bool:
        """Whether any column can be sorted by."""
        return any(column.sort_url for column in self.columns)


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a filter."""

    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class FilterField:
    """One control of a filter form. ``value`` is what was asked for, even where ``errors`` refuse it."""

    name: str
    label: str
    kind: FieldKind
    value: str = ""
    choices: Sequence[Choice] = ()
    placeholder: str = ""
    errors: Sequence[str] = ()

    @property
    def selected_label(self) -> str:
        """What a multiple choice shows while closed: its name, the one choice, or how many there are."""
        chosen = [choice.label for choice in self.choices if choice.selected]
        if not chosen:
            return self.label
        return f"{self.label}: {chosen[0]}" if len(chosen) == 1 else f"{self.label}: {len(chosen)}"


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is in force, and the address of the same list without it."""

    label: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class HiddenField:
    """Something the list must keep when its filters change, such as the sort order."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Filters:
    """The filter form of a list. It is a plain GET form to ``url``; htmx only saves the reload."""

    url: str
    fields: Sequence[FilterField]
    chips: Sequence[Chip] = ()
    clear_url: str = ""
    hidden: Sequence[HiddenField] = ()

    @property
    def has_errors(self) -> bool:
        """Whether any value asked for was refused."""
        return any(given.errors for given in self.fields)

    @property
    def errors(self) -> list[str]:
        """Every refusal, in the order of the fields."""
        return [error for given in self.fields for error in given.errors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the layout shows of every page. Pages with more on them inherit from this and add fields.

    ``lead`` is the page's main point in one sentence: what the reader should take away, not what the page is for.
    """

    title: str
    lead: str = ""
    actions: Sequence[Action] = ()
    crumbs: Sequence[Crumb] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(Page, Generic[Row]):
    """A page that is one list."""

    table: Table[Row]
    filters: Filters | None = None
