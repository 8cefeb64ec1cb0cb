"""Defects to be seeded into what acts on positions: the simulation has to notice each."""

from verification.venue.loop_defects import Seeded

SEEDED: tuple[Seeded, ...] = ()
