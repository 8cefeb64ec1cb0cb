"""orderhook: an alert comes in as text, passes these modules once, and leaves as an answer.

The way of an alert:
    payload          text → pairs; `flat_json` where it is JSON
    keys             a key → who is asking; the secret ends here
    pipeline         pairs → a command for each account → controls → result
    admission        whether an alert may be carried out: the controls, and the limits of its key
    accounts         `account=A,B,C` → the fields for each account
    resend           whether an alert is one that TradingView repeats
    commands/        what each command checks and does, a module for each; `hints` for a name that does not exist
    answering        an alert whose sender is known, within its time: carried out, with its record, line and metrics
    responses        outcome or error → status and JSON
    request_facts    what is known of it on its way
    telemetry        the log line, the metrics, the record of the alert; `alarms` says which metric a refusal counts in

What orders are, as plain data and pure functions:
    orders           states and which may follow which; orders, strategies, templates
    conditions       what must hold of a position before something is done at a venue
    instructions     what is asked of positions: to close, turn or protect them
    provenance       where a write comes from
    outcome          what a command has done
    trade            an entry with its targets and stops
    relative_prices  prices that are a distance from another one
    leg_prices       on which sides of one another the prices of a trade lie
    altering         what CHANGE and CANCELREPLACE make of an order
    order_reports    what a report of a venue makes of one
    trade_window     the time of day at which an alert may trade
    instruments      futures: ticks, names of contracts, front months
    contract_dates   when a contract expires, and when the next one becomes the front month
    exchange_days    the days on which exchanges are open
    venues           what commands lead to with a venue, and without one
    rate_limit       how many alerts may come in a time
    limits           what a key may reach, and how much it may open
    grants           what somebody who is signed in to the console may see and do, and for how long
    errors           everything that an alert can be refused with

What they work with:
    services         one object that holds the stores, and what is deferred
    settings         the environment of a function, read and checked once
    store/           the table: `table` sends requests; `orders`, `strategies`, `keys`, `templates`, `controls`,
                     `rates`, `traces`, `sessions`, `alert_log` each know one kind of item, `reports` what a venue says
                     of orders, `bridge` what it says besides, `needs` what a person has to look at, `notices` what was
                     told; `changes` has the writes that alter orders, `releases` those of legs; `writes`, `items`,
                     `expressions`, `asking` and `results` are shared
    aws/             `clients`, a request's time `budget` and hard `deadline`, the `gateway`'s event, `deferred` work,
                     the `doorbell`
    messages         what is sent to the queue
    bridge_messages  what a bridge sends to the report queue
    reporting        a report of the bridge → the table, and what somebody should look at
    needs            what of a report or an answer a person has to look at, and is kept for that
    visible          what came from outside, as text in which nothing is invisible
    readiness        what a new version is asked before it gets traffic; `aws/deployment` asks it

For readers (the command line, the console and the API):
    explain          what an alert would do, and everything that is wrong with it; `description` has the words,
                     `filled_in` knows what a placeholder can become, `broken_json` reads on behind a fault
    reference        what every word of an answer means; `venue_words` has those of a bridge
    records          find and follow the records of alerts
    listing          orders as a person lists them, each with its waiting legs
    representations  orders, keys, templates and records as JSON
    profit           what was won and lost, by account and day, from what was filled
    attention/       what needs a person now, for the console and for whoever is told without looking
    notifying/       what a trader is told without looking
    console/         pages for a person and JSON for a program, which look and act; its own page says what is where
    administration   keys and templates, as an operator types them
    migration        a table of an earlier version into the form of this one; `version_0_1` is what that left,
                     `renaming` gives instruments their one names
"""
