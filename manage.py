#!/usr/bin/env python
"""Django's command line, against the same services as `make up`."""

import os
import sys

from revops_admin.runtime.errors import RuntimeProblem


def main() -> None:
    """Run a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "revops_admin.settings.local")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except RuntimeProblem as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
