"""The bridge: the program on the trader's PC that makes what the table wants so, and reports what is.

engine           decides: (state, event) → (state, effects); pure
events           what the engine is told, and what it asks for
state, records   what the engine knows, and what of it the journal keeps
oif              the lines and names of order instruction files, and the ids of orders at the venue; pure
journal          what was seen, intended, written and acknowledged, in SQLite
ninjatrader      NinjaTrader 8's files: order instructions, states, positions, connections, log
link             the doorbell, the look at the table, the reports
run              the loop over these; `doctor` is the check before the first order
"""
