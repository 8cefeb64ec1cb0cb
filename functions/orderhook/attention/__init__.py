"""What needs a person: one list, which the console shows and which is told to whoever does not look.

entries          what can need a person, each with what to do and how it leaves the list; held against the alarms
needing          which of it needs a person now
gathering        what is read of the table to say so
protection       how much of a position its working stops cover
"""
