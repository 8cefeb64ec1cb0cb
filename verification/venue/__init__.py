"""The bridge in simulation: engine and journal between a small table and a small venue, with crashes in between."""
