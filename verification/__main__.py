"""Race, compare, fuzz and measure, and print what was found: `make prove`.

    python -m verification                                          everything, in about an hour on two cores
    python -m verification fuzzing --payloads 10000 --seed 7        one part, smaller, with other chances

First the provers are proved themselves: each has to notice the defects that are seeded for it. Ends with 1 if anything
was found. A part that is not smaller than usual takes its place in RESULTS.md.
"""

import argparse
import sys
import time
from collections.abc import Callable

from tests.engine import dynamodb_local
from verification import report

OPERATIONS, RUNS, PAYLOADS, STEPS, WHOLE_STEPS, KILLS = 100_000, 500, 1_000_000, 200_000, 50_000, 50
REQUESTS = 20_000
PARTS = (
    "provers",
    "races",
    "races-at-venue",
    "model",
    "fuzzing",
    "console-fuzzing",
    "deadlines",
    "venue",
    "whole-loop",
    "positions",
    "kills",
)
ON_ENGINE = ("races", "races-at-venue", "deadlines", "kills")


def main() -> int:
    """Run the parts, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=(*PARTS, []), help="all of them, if none is named")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="of the races (default %(default)s)")
    parser.add_argument("--processes", type=int, default=3, help="of the races; the last has a faulty connection")
    parser.add_argument("--runs", type=int, default=RUNS, help="of the model, of 50 steps each (default %(default)s)")
    parser.add_argument("--payloads", type=int, default=PAYLOADS, help="of the fuzzing (default %(default)s)")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="to console and API (default %(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the venue (default %(default)s)")
    parser.add_argument("--kills", type=int, default=KILLS, help="of the bridge's process (default %(default)s)")
    parser.add_argument("--whole-steps", type=int, default=WHOLE_STEPS, help="of the whole loop (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from verification import console_fuzzing, deadlines, fuzzing, provers
    from verification.model import run as model
    from verification.races import run as races
    from verification.venue import kills, whole
    from verification.venue import run as venue

    of_races = {"operations": options.operations, "processes": options.processes, "seed": options.seed}
    parts: dict[str, Callable[[], report.Part]] = {
        "provers": lambda: provers.run(seed=options.seed),
        "races": lambda: races.run(**of_races),
        "races-at-venue": lambda: races.run(**of_races, at_venue=True),
        "model": lambda: model.run(runs=options.runs, seed=options.seed),
        "fuzzing": lambda: fuzzing.run(payloads=options.payloads, seed=options.seed),
        "console-fuzzing": lambda: console_fuzzing.run(requests=options.requests, seed=options.seed),
        "deadlines": deadlines.run,
        "venue": lambda: venue.run(steps=options.steps, seed=options.seed),
        "kills": lambda: kills.run(kills=options.kills, seed=options.seed),
        "whole-loop": lambda: whole.run(steps=options.whole_steps, seed=options.seed),
        "positions": lambda: whole.run(steps=options.whole_steps, seed=options.seed, of=whole.POSITIONS),
    }
    smaller = {
        "races": options.operations < OPERATIONS,
        "races-at-venue": options.operations < OPERATIONS,
        "model": options.runs < RUNS,
        "fuzzing": options.payloads < PAYLOADS,
        "console-fuzzing": options.requests < REQUESTS,
        "venue": options.steps < STEPS,
        "kills": options.kills < KILLS,
        "whole-loop": options.whole_steps < WHOLE_STEPS,
        "positions": options.whole_steps < WHOLE_STEPS,
    }
    command = "make prove" + (f" ARGS='{' '.join(sys.argv[1:])}'" if sys.argv[1:] else "")
    found = False
    for name in options.part or PARTS:
        if name in ON_ENGINE and (reason := dynamodb_local.missing()):
            print(f"No {name}: {reason}")
            continue
        print(f"{time.strftime('%H:%M:%S')} {name} ...", file=sys.stderr)
        done = parts[name]()
        print(f"{done}\n", flush=True)
        found = found or bool(done.findings)
        if not smaller.get(name):
            report.write(done, command)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
