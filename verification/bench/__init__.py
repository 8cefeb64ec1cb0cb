"""What the service costs in time, beside what it cannot do without. `make bench` runs all of it."""
