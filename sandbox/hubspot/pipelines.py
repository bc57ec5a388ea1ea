"""The pipelines of a new portal."""

from collections.abc import Sequence
from decimal import Decimal

Body = dict[str, object]
_STAGES = (
    ("Appointment scheduled", 0.2), ("Qualified to buy", 0.4), ("Presentation scheduled", 0.6),
    ("Decision maker bought-in", 0.8), ("Contract sent", 0.9), ("Closed won", 1.0), ("Closed lost", 0.0),
)  # fmt: skip
_RENEWAL_STAGES = (
    ("Renewal due", 0.3), ("Usage reviewed", 0.5), ("Terms proposed", 0.7), ("Agreed in principle", 0.85),
    ("Paper out", 0.95), ("Renewed", 1.0), ("Churned", 0.0),
)  # fmt: skip
_DEFAULT_IDS = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent",
                "closedwon", "closedlost")  # fmt: skip

PIPELINES = ("default", "754310958")
STAGE_IDS = {"default": _DEFAULT_IDS, "754310958": tuple(str(1_096_223_411 + place) for place in range(7))}
"""Stage ids by pipeline: five open ones, won, lost."""


def standard(created_at: str) -> list[Body]:
    """The two deal pipelines of a new portal."""
    return [
        pipeline("default", "Sales Pipeline", 0, _stages("default", _STAGES, created_at), created_at),
        pipeline("754310958", "Renewals", 1, _stages("754310958", _RENEWAL_STAGES, created_at), created_at),
    ]


def _stages(pipeline_id: str, stages: Sequence[tuple[str, float]], created_at: str) -> list[Body]:
    ids = STAGE_IDS[pipeline_id]
    return [
        stage(ids[place], label, place, {"isClosed": "true" if probability in {0.0, 1.0} else "false",
                                         "probability": str(probability)}, created_at)
        for place, (label, probability) in enumerate(stages)
    ]  # fmt: skip


def pipeline(pipeline_id: str, label: str, place: int, stages: Sequence[Body], created_at: str) -> Body:
    """A pipeline as the API shows it."""
    return {"label": label, "displayOrder": place, "id": pipeline_id, "stages": list(stages), "createdAt": created_at,
            "updatedAt": created_at, "archived": False}  # fmt: skip


def stage(stage_id: str, label: str, place: int, metadata: Body, created_at: str) -> Body:
    """A stage as the API shows it."""
    return {"label": label, "displayOrder": place, "metadata": metadata, "id": stage_id, "createdAt": created_at,
            "updatedAt": created_at, "archived": False, "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT"}  # fmt: skip


def long_number(value: float) -> str:
    """A number as HubSpot writes calculated ones: all digits of the binary value, ``0.2`` with 55 of them."""
    return format(Decimal(value).normalize(), "f")
