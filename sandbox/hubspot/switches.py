"""What a test may set about a portal: its limits, how late its search is, and other habits of the real one."""

import msgspec


class Switches(msgspec.Struct, forbid_unknown_fields=True):
    """The settings of a portal.

    ``calls_per_ten_seconds``, ``calls_per_day``, ``searches_per_second``: beyond them calls are 429; ``with_retry_after`` adds that
    header. ``search_reach``: paging beyond so many results is 400. ``search_lag_seconds``: how long a change stays out of searches; with ``search_lag_seed`` a random time up to that.
    ``unstable_sorts``: records of equal sort values come in another order with every page. ``number_ids``: association
    answers give ids as numbers. ``access_token_seconds``: how long OAuth's access tokens last. ``webhook_retry_seconds``: the pause
    before a refused delivery is tried again, doubled each time.
    """

    calls_per_ten_seconds: int = 190
    calls_per_day: int = 650_000
    searches_per_second: int = 5
    with_retry_after: bool = False
    search_reach: int = 10_000
    search_lag_seconds: float = 0
    search_lag_seed: int | None = None
    unstable_sorts: bool = False
    number_ids: bool = False
    access_token_seconds: int = 1800
    webhook_retry_seconds: float = 1.0
    time_zone: str = "America/New_York"
    currency: str = "USD"


def changed(switches: Switches, changes: dict[str, object]) -> Switches:
    """The switches with some of them changed. Raises: msgspec.ValidationError, for one that there is not."""
    return msgspec.convert(msgspec.structs.asdict(switches) | changes, Switches)
