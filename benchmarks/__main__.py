"""``make bench``: every benchmark after the other, or those named: ``python -m benchmarks first_load deals_page``."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("first_load", "deals_page")


def main(names: list[str]) -> int:
    """Run them; 0 if all ran to their end."""
    if unknown := set(names) - set(BENCHMARKS):
        print(f"There is no benchmark {', '.join(sorted(unknown))}. Use one of: {', '.join(BENCHMARKS)}.")
        return 2
    codes = []
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
