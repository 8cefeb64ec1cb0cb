"""The bridge: the program on the trader's PC that carries out what the table wants, and reports what is there.

engine           decides: (state, event) → (state, effects); pure
events           what the engine is told, and what it asks for
state, records   what the engine knows, and what of it the journal keeps
looking, reading record what the table and NinjaTrader's files show
carrying_out, legs, brackets, changing, cancelling, confirming, adopting
                 the next step for what is wanted of each order
instructing, closing, partial_closes, reversing, strategy_closes, atm_closes, bracketing, making, pairs
                 what is asked of positions, one thing of an account and instrument after the other
heeding, conditions, months
                 what must hold of positions before an order or an instruction, and what comes first
lateness         tells of what came too late, by what it may have been for
positions, readiness, reporting
                 positions, whether what opens can be carried out, and what the cloud is told
oif              the lines and names of order instruction files, and the ids of orders at the venue; pure
journal          what was seen, intended, written and acknowledged, in SQLite
ninjatrader      NinjaTrader 8's folder: instructions written, updates and log read
outgoing         what its update files say: states of orders, positions, connections; pure
log_lines        what its log says of our orders; pure
contracts        the names of a futures contract: `ES 12-26`, `ES DEC26` and `ESZ6` are one; pure
windows          what Windows does otherwise: sharing of files, locks, folders, processes
link             the doorbell, the look at the table, the reports
settings         bridge.toml: where a stack has its table and its queues
operator_requests
                 what a person asks of a bridge that runs
doctor           the check before the first order
status           how a bridge stands: who owns the stack, what this machine has, which orders are at the venue
lane             requests to AWS in the background, one of a kind at a time
run              the loop over these
"""
