"""How much slower a program runs while it is traced: malloc_tracer, tracemalloc, memray against the untraced program.

All variants alternate in one process, so that they share the machine's weather; opening and closing a tracer is not
timed (see scope.py). Two ratios per cell: of the minima, and the median of the ratios round by round. `installed`
(malloc_tracer was used once, no scope is open) alternates child processes instead: nothing can be uninstalled.

    python benchmarks/overhead.py [--rounds 7] [--variants ours,memray] [--workloads ints,deep] [--json FILE]
"""

from __future__ import annotations

import measure
import rounds
from ratios import print_ratios
from tools import TOOLS, timed
from workloads import WORKLOADS


def main() -> None:
    options = rounds.arguments(__doc__)
    book = rounds.Book()
    if options.child:
        rounds.child(options.child, options.workloads, options.rounds)
        return
    # The children first: nothing of ours is in this process yet.
    idle = rounds.installed(options.workloads, options.variants, options.processes, options.rounds)
    # The workloads start from here, not from a function of rounds.py, for the reason in tools.py.
    for name, variant in rounds.schedule(options.workloads, options.variants, options.rounds, options.slow_rounds):
        book.add(name, variant, timed(WORKLOADS[name], TOOLS[variant]))
    print(measure.machine())
    book.check()
    if idle:
        print("\nNo scope open: ratio of minima / median ratio, child processes")
        print_ratios(idle)
    if book.seconds:
        print("\nTraced: ratio of minima / median ratio, one process")
        print_ratios(book.seconds)
    measure.save(options.json, lambda: {"traced_seconds": book.seconds, "installed_seconds": idle})


if __name__ == "__main__":
    main()
