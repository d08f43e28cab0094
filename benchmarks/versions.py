"""One table of what several Python versions cost: overhead.py's results side by side, ours only.

scripts/overhead-of-versions runs overhead.py on each and then this; ratio of minima / median ratio.

    python benchmarks/versions.py 3.9=build/benchmarks/overhead-3.9.json 3.13=build/benchmarks/overhead-3.13.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import measure
from ratios import by_median, by_minimum, geomean
from rounds import Seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", metavar="VERSION=FILE", help="FILE is of overhead.py --json")
    measured: dict[str, Seconds] = {}
    for result in parser.parse_args().results:
        version, _, file = result.partition("=")
        measured[version] = json.loads(Path(file).read_text())["traced_seconds"]
    rows = []
    for name in dict.fromkeys(name for seconds in measured.values() for name in seconds):
        found = [seconds.get(name) for seconds in measured.values()]
        rows.append([name, *(f"{by_minimum(s, 'ours'):.2f} / {by_median(s, 'ours'):.2f}" if s else "" for s in found)])
    means = [
        f"**{geomean([by_minimum(s, 'ours') for s in seconds.values()]):.3f} / "
        f"{geomean([by_median(s, 'ours') for s in seconds.values()]):.3f}**"
        for seconds in measured.values()
    ]
    print(measure.table(["workload", *measured], [*rows, ["**geomean**", *means]]))


if __name__ == "__main__":
    main()
