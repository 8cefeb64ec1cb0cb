"""The bridge: the program on the trader's PC that makes what the table wants so, and reports what is.

engine           decides: (state, event) → (state, effects); pure
events           what the engine is told, and what it asks for
journal          what was seen, intended, written and acknowledged, in SQLite
ninjatrader      NinjaTrader 8's files: order instructions, states, positions, connections, log
link             the doorbell, the look at the table, the reports
settings         bridge.toml: where a stack has its table and its queues
asked            what a person asks of a bridge that runs
run              the loop over these; `doctor` is the check before the first order
"""
