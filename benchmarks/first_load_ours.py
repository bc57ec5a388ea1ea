"""The product's own first sync, in this process. Arguments: address of the sandbox, organisation, and objects (none: all).

With objects, the rows that are told are those of the last one: the others are what it cannot be read without.
"""

from __future__ import annotations

import resource
import sys

import django

from benchmarks.peers.processes import tell


def main(url: str, organisation: str, *objects: str) -> None:
    """Connect a workspace, sync it, print what it took."""
    django.setup()
    from benchmarks import workspace

    workspace.without_upper_rooms()
    if objects:
        workspace.only(objects)
    done = workspace.synced(workspace.connected(url, organisation))
    rows = workspace.result_of(done.run, objects[-1]).rows_inserted if objects else done.run.rows_inserted
    tell(rows, done.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
