"""The `orderhook` command: what a person runs on their own machine. Never deployed."""
