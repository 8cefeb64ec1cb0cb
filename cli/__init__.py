"""The `orderhook` command: what a person runs on their own machine. Never deployed.

app.py          assembles the commands; each family has a module of its own:
serve.py        serve, seed
send.py         send, check
orders.py       orders, order
alerts.py       alerts, alerts show
keys.py         keys create, list, revoke
templates.py    templates put, list
kill_switch.py  kill-switch
console.py      console
migrate.py      migrate
bridge.py       bridge setup, run, doctor, confirm, resume, status; bridge stop, start for the local server's
venue.py        positions, executions, resolve
profit.py       positions --pnl
verify.py       verify

options.py      the options that commands share, and the examples of their help
local_bridge.py the local server's bridge: when it is meant, and what is asked of it
connection.py   where a command finds its table and its webhook
tradingview.py  an alert is sent as TradingView sends it
terminal.py     lines, tables, CSV, colours, times and exit codes
views/          what a person sees of each thing
aws/            AWS on this machine: API Gateway, DynamoDB, SQS and EventBridge Scheduler; a bridge and a stand-in for
                NinjaTrader
"""
