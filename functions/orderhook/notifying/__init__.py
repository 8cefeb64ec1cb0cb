"""What a trader is told without looking, by e-mail and by one outgoing webhook; never in the way of an alert.

quiet         quiet hours, which hold back all but what may be without a stop
notices       what there is to tell, and its text
recurring     what was naked, was over, and is naked again
refusals      refused alerts, summed by their reasons
destinations  where an outgoing webhook may go, and what Discord, Slack and Telegram take
https         the request to it
channels      the ways to a trader: e-mail, the webhook; on a person's own machine the terminal
looking       one look: what there is to tell is claimed, and then sent, once
"""
