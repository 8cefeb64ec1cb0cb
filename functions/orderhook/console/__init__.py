"""The console and the HTTP API: what a person and a program see of the table, and by which they act.

http             a request, and the answers with their headers
app              which door a request came in by, and which page or operation answers it
guard            whether an unsafe request comes from the console's own page
sessions         codes and sessions, where they are kept in a process
signing          signing in and out, and the record that each leaves
overview         what the first page says before the alerts: whether they trade, today's numbers, what needs a person
remembered       what an instance keeps of it for some seconds, which spares the table
looking          "I have looked": an event leaves the list; `recording` has the record of what is done besides alerts
fates            what an alert was answered and what became of it, in words, with a mark
closed           whether what a stop was for was closed since
alert_list       a page of alerts: which records, what became of each, which belong together
alert_words      what an alert says, in words, whether it was understood or not
sight            which alerts somebody with limits may see
placed           orders as trades: open ones from the index, finished ones by their placing
money            whose money an account trades: live, simulated, nothing
acting           one way in: fields → the pipeline of every alert → a record
fields           how forms offer commands and their fields; `placeholders` are TradingView's
drafts           an alert that is being built: its text, and what the webhook would make of it
reading          an alert that was written elsewhere, or recorded, into a draft
confirming       what a page that asks for confirmation is about, and whether it is another by then
turning          what turns a position over by hand, once for what is known of it
by_hand          an order given by hand: what it would do, and what may be known beforehand
pages/           HTML, a module a page; `layout` is around each of them
api/             JSON: the table of routes, their models, and what they answer
assets/          one script, one style sheet
"""
