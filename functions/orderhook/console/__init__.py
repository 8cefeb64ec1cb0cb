"""The console and the HTTP API: what a person and a program see of the table, and by which they act.

http             a request, and the answers with their headers
app              which door a request came in by, and which page or operation answers it
guard            whether an unsafe request comes from the console's own page
sessions         codes and sessions, where they are kept in a process
signing          signing in and out, and the record that each leaves
fates            what an alert was answered and what became of it, in words, with a mark
acting           one way in: fields → the pipeline of every alert → a record
pages/           HTML, a module a page; `layout` is around each of them
api/             JSON: the table of routes, their models, and what they answer
assets/          one script, one style sheet
"""
