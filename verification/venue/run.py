"""Simulate the bridge, and see that the simulation notices what is wrong."""

import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from verification.report import Part
from verification.venue.defects import SEEDED, Defect
from verification.venue.play import play

STEPS_OF_A_RUN = 3_000

TRIES = 60
"""How many runs a seeded defect has at most to be noticed in."""


def run(*, steps: int, seed: int) -> Part:
    """Play runs until so many steps were taken, and say what was found; then seed the defects, one after the other."""
    began = time.monotonic()
    taken, runs = 0, 0
    found: Counter[str] = Counter()
    while taken < steps:
        run_steps, findings = one(seed + runs, min(STEPS_OF_A_RUN, steps - taken))
        taken, runs = taken + run_steps, runs + 1
        found.update(f"seed {seed + runs - 1}: {finding}" for finding in findings)
    missed = [defect.__name__ for defect in SEEDED if noticed(defect) is None]
    lines = [
        f"{taken:,} steps of the engine in {runs} runs, over SQLite, with crashes between effects. Seed {seed}.",
        f"{len(SEEDED)} defects seeded, {len(SEEDED) - len(missed)} noticed.",
    ]
    shown = [*found, *(f"a seeded defect was not noticed: {name}" for name in missed)]
    return Part("Venue", lines, shown[:20], len(shown), time.monotonic() - began)


def one(seed: int, steps: int) -> tuple[int, list[str]]:
    """Play one run; returns how many steps it took, and what was found."""
    with tempfile.TemporaryDirectory() as folder:
        played = play(seed, steps, Path(folder))
    return played.steps, played.findings


def noticed(defect: Defect, tries: int = TRIES) -> str | None:
    """Return what the first run finds that notices a defect; an engine that fails has noticed it, too."""
    with pytest.MonkeyPatch.context() as patch:
        defect(patch)
        for seed in range(1, tries + 1):
            try:
                _, findings = one(seed, STEPS_OF_A_RUN)
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            if findings:
                return findings[0]
    return None
