"""Trade by hand: a form, a page that says what it would do, and Send; it takes the way of every alert."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import htpy as h
from htpy import Node

from orderhook import reference, responses
from orderhook.administration import describe_limits
from orderhook.commands import Command
from orderhook.commands.cancel_and_bracket import CancelAndBracket
from orderhook.commands.new_order import NewOrder, PlacesOrder
from orderhook.commands.price_fields import price_text
from orderhook.commands.reverse import Reverse
from orderhook.console import http, turning
from orderhook.console.acting import Acted, act_by_hand, refusal
from orderhook.console.by_hand import Checked, check, first_values, once_of, pairs_of
from orderhook.console.confirming import order_ids, order_now, order_of, seen
from orderhook.console.drafts import Told, draft_of, holds_key, told_of
from orderhook.console.fates import Fate, Mark
from orderhook.console.fields import COMMAND_WORDS, FIELDS, KINDS
from orderhook.console.money import money_of
from orderhook.console.pages import forms, inputs, layout, parts
from orderhook.console.pages.order_cancel import leaves_without_stop
from orderhook.console.pages.positions import side
from orderhook.console.pages.text import value
from orderhook.console.visit import Visit
from orderhook.errors import OrderhookError, TemporarilyUnavailableError
from orderhook.orders import Order
from orderhook.outcome import Outcome
from orderhook.relative_prices import Relative
from orderhook.responses import Response

PATH = parts.TRADE
SEND = f"{PATH}/send"
_MONEY = {
    "live": ("bad", "●", "LIVE: real money"),
    "simulated": ("good", "◐", "Sim: a simulated account"),
    "nothing": ("neutral", "○", "No venue: nothing reaches a market"),
}


def page(visit: Visit) -> Response:
    """Answer with a new form, filled in by what its address says."""
    word = visit.request.parameter("command").upper()
    word = word if word in KINDS else "PLACE"
    order_id = visit.request.parameter("orderId") or visit.request.parameter("order_id")
    order = order_now(visit, order_id) if order_id else None
    values = first_values(word, visit.request.query, visit.now, order)
    return _form(visit, word, values, was=_was(visit, word, values))


def check_form(visit: Visit) -> Response:
    """Answer with what would be done, to be confirmed, or with the form where something is wrong with it."""
    form = visit.request.form
    word = form.get("command", "")
    if word not in KINDS:
        raise http.HttpError(400, "This form is not whole. Load the page again.")
    values = dict(draft_of("", word, form).values)
    go = form.get("go", "")
    if go == "fields":
        return _form(visit, word, {**first_values(word, (), visit.now, None), **values})
    checked = _check(visit, word, values)
    if checked.faults or go == "edit":
        return _form(visit, word, values, checked.faults if go != "edit" else (), was=form.get("seen", ""))
    before = form.get("seen", "")
    changed = bool(before) and before != seen(visit, _commands(checked))
    once = once_of(form.get(forms.ONCE, ""), word, values)
    return _confirmation(visit, word, values, checked, once, changed=changed, status=200)


def send(visit: Visit) -> Response:
    """Carry out what was confirmed, once; a form that comes again is answered with what came of it.

    What it is about may have changed since the page said it: then that is said anew, and nothing is sent.
    """
    form = visit.request.form
    word = form.get("command", "")
    if word not in KINDS:
        raise http.HttpError(400, "This form is not whole, so nothing was done. Load the page again.")
    values = dict(draft_of("", word, form).values)
    if (checked := _check(visit, word, values)).faults:
        return _form(visit, word, values, checked.faults)
    once = form.get(forms.ONCE, "")
    ids = order_ids(visit, _commands(checked))
    if refused := refusal(visit, once, lambda: _not_sent(visit, word, values, checked), ids):
        return refused
    try:
        acted = act_by_hand(visit, pairs_of(word, values), once)
    except TemporarilyUnavailableError as error:
        return _form(visit, word, values, (told_of(error),), refused=error)
    if acted.result is None:
        return _came_again(visit, acted)
    if isinstance(acted.result, OrderhookError):
        return _refused(visit, word, values, acted, acted.result)
    if acted.result.is_duplicate:
        return _already_there(visit, acted, acted.result)
    return _to_what_came_of_it(visit, values, acted, acted.result)


def _not_sent(visit: Visit, word: str, values: Mapping[str, str], checked: Checked) -> Response | None:
    """Answer why what was confirmed is not sent; None where it is."""
    form = visit.request.form
    once = form.get(forms.ONCE, "")
    if form.get("seen", "") != seen(visit, _commands(checked)):
        return _confirmation(visit, word, values, checked, once, changed=True)
    if why := turning.claim(visit, turning.turned_by(_commands(checked)), once):
        return _form(visit, word, values, (Told(why, "instrument"),))
    return None


def _commands(checked: Checked) -> Iterable[Command]:
    return checked.commands.values()


def _check(visit: Visit, word: str, values: Mapping[str, str]) -> Checked:
    return check(word, values, venue=visit.services.venue, now=visit.now, limits=visit.session.grant.limits)


# The form


def _was(visit: Visit, word: str, values: Mapping[str, str]) -> str:
    """Return what the order of a new form is: a replacement begins with its terms, which may be others by then."""
    return seen(visit, _commands(_check(visit, word, values))) if word == "CANCELREPLACE" else ""


def _form(
    visit: Visit,
    word: str,
    values: Mapping[str, str],
    faults: Iterable[Told] = (),
    *,
    refused: OrderhookError | None = None,
    notice: Node = None,
    was: str = "",
) -> Response:
    faults = tuple(faults)
    values = {name: "" if holds_key(it) else it for name, it in values.items()}
    marks: dict[str, list[Node]] = {}
    for it in faults:
        if it.field and it.field in FIELDS:
            marks.setdefault(it.field, []).append(inputs.error(it))
    content = h.fragment[
        h.h1["Trade by hand"],
        h.p(".hint")["It takes the way of every alert. The next page says what would be done; nothing is sent yet."],
        _limits(visit),
        notice or (_faults(faults) if faults else None),
        forms.form(
            PATH,
            h.fragment[
                inputs.choose_command(word),
                inputs.fields_of(word, values, marks, of_strategy=None),
                h.input(type="hidden", name="seen", value=was) if was else None,
                h.div(".acts")[forms.act_button(visit, "Look at it", class_="primary")],
            ],
            class_="fields",
        ),
    ]
    status = responses.status(refused) if refused else 200
    return layout.respond(visit, "Trade", content, here=PATH, status=status, live=False)


def _limits(visit: Visit) -> Node:
    told = describe_limits(visit.session.grant.limits)
    return h.p(".notice")["This session is limited to ", value(told), "."] if told else None


def _faults(faults: Iterable[Told]) -> Node:
    return h.div(".notice.bad", role="alert")[
        h.p[h.span(".mark", aria_hidden="true")["✕"], h.span(".word")["Nothing was sent: this would be refused."]],
        h.ul[(h.li[_where(it), value(it.detail)] for it in faults)],
    ]


def _where(told: Told) -> Node:
    field = told.field or ""
    return [h.a(href=f"#f-{field}")[FIELDS[field].label], ": "] if field in FIELDS else None


# The confirmation


def _confirmation(
    visit: Visit,
    word: str,
    values: Mapping[str, str],
    checked: Checked,
    once: str,
    *,
    changed: bool = False,
    status: int = 409,
) -> Response:
    content = h.div(".alone")[
        h.h1["Is this what you mean?"],
        _CHANGED if changed else None,
        h.p(".facts")[value(checked.words.replace("This alert would", "This would", 1))],
        [_confirmed(visit, account, command) for account, command in checked.commands.items()],
        [h.p(".notice.warn")[h.span(".word")["Mind: "], value(it.detail)] for it in checked.warnings],
        h.div(".acts")[
            h.form(method="post", action=SEND)[
                _hidden(word, values),
                h.input(type="hidden", name=forms.ONCE, value=once),
                h.input(type="hidden", name="seen", value=seen(visit, _commands(checked))),
                forms.act_button(visit, _button(checked), class_="primary"),
            ],
            h.form(method="post", action=PATH)[
                _hidden(word, values),
                h.input(type="hidden", name="seen", value=seen(visit, _commands(checked))),
                h.button(name="go", value="edit")["Change it"],
            ],
        ],
    ]
    status = status if changed else 200
    return layout.respond(visit, "Confirm", content, here=PATH, status=status, live=False)


_CHANGED = h.p(".notice.warn", role="alert")[
    h.span(".mark", aria_hidden="true")["!"],
    h.span(".word")["What this is about has changed since the page before said it, and nothing was sent. "],
    "Look at each value again: some may be those of before.",
]


def _button(checked: Checked) -> str:
    command = next(iter(checked.commands.values()))
    if isinstance(command, PlacesOrder):
        new = command.new_order
        return f"Send: {new.action} {new.qty} {new.instrument}"
    return f"Send: {COMMAND_WORDS[command.word].label.lower()}"


def _hidden(word: str, values: Mapping[str, str]) -> Node:
    pairs = {"command": word, **values}
    return [h.input(type="hidden", name=name, value=it) for name, it in pairs.items()]


def _confirmed(visit: Visit, account: str, command: Command) -> Node:
    rows = [*_account(visit, account, command), *_terms(visit, command)]
    return h.dl(".pairs.confirmed")[((h.dt[name], h.dd[told]) for name, told in rows)]


def _account(visit: Visit, account: str, command: Command) -> Iterator[tuple[str, Node]]:
    venue = visit.services.venue
    order = order_of(visit, command)
    own = account or getattr(command, "account", None) or (order.account if order else None)
    if isinstance(command, PlacesOrder):
        own = command.new_order.account
    accounts = [own] if own else visit.controls().bridge.accounts if venue.name else []
    money = {money_of(it, venue) for it in accounts} or {"nothing" if venue.name is None else "live"}
    tone, sign, words = _MONEY["live" if "live" in money else money.pop()]
    mark = h.span(class_=["venue", tone])[h.span(".mark", aria_hidden="true")[sign], h.span(".word")[words]]
    yield "account", [value(own) if own else "whichever it reaches", " ", mark]
    yield "venue", venue.name or "none: this changes the table only"
    if order:
        yield "the order now", value(_as_it_is(order))
    if order and command.word == "CANCEL" and (without := leaves_without_stop(visit, order)):
        yield "what it leaves", h.strong(".word.bad")[Fate(Mark.WARN, "", unprotected=without).note]


def _as_it_is(order: Order) -> str:
    prices = [price_text(it) for it in (order.limit_price, order.stop_price) if it is not None]
    at = f" at {' and '.join(prices)}" if prices else ""
    return f"{order.action} {order.qty} {order.instrument} {order.order_type}{at}, {order.state}"


def _terms(visit: Visit, command: Command) -> Iterator[tuple[str, Node]]:
    for market in turning.turned_by([command]):
        told = turning.position_of(visit, market)
        yield (
            "the position now",
            [side(told), ", as of ", parts.day_and_time(told.at)] if told else "UNKNOWN (not flat)",
        )
    if isinstance(command, PlacesOrder):
        new = command.new_order
        yield "side", h.b[new.action]
        yield "quantity", str(new.qty)
        yield "instrument", value(new.instrument)
        yield "type", f"{new.order_type}, {new.tif}"
        yield "price", _price(new)
        if command.word == "CANCELREPLACE" and not _stop(new):
            yield "stop", "as it is: a replacement keeps it"
        else:
            yield "stop", _stop(new) or h.strong(".word.bad")["no stop"]
        if new.take_profit is not None:
            yield "target", value(_leg(new.take_profit))
    elif isinstance(command, Reverse):
        yield "stop", h.strong(".word.bad")["no stop: nothing protects the new side"]
    elif isinstance(command, CancelAndBracket):
        stop = command.stop_loss or command.stop_loss_stop or command.stop_loss_limit
        yield "stop", value(price_text(stop)) if stop is not None else h.strong(".word.bad")["no stop"]


def _price(new: NewOrder) -> Node:
    told = [
        f"{name} {price_text(price)}"
        for name, price in (("stop", new.stop_price), ("limit", new.limit_price))
        if price is not None
    ]
    return value(", ".join(told)) if told else "at the market; nobody knows it beforehand"


def _stop(new: NewOrder) -> Node:
    if new.strategy:
        return [value(f"of the template {new.strategy}")]
    stop = new.stop_loss or new.stop_loss_stop or new.stop_loss_limit
    if stop is None:
        return None
    limit = f", with the limit {price_text(new.stop_loss_limit)}" if new.stop_loss_limit is not None else ""
    return [value(f"{_leg(stop)}{limit}")]


def _leg(price: Decimal | Relative) -> str:
    return price_text(price) if isinstance(price, Decimal) else f"{price} from the fill"


# What came of it


def _came_again(visit: Visit, acted: Acted) -> Response:
    content = h.div(".alone")[
        h.h1["Nothing new was sent"],
        h.p["This form was sent before. What came of it stands in its record; where none is kept, look at the orders."],
        h.p(".acts")[
            h.a(".button.primary", href=parts.alert_address(acted.request_id))["What came of it"],
            h.a(".button", href=PATH)["A new order"],
        ],
    ]
    return layout.respond(visit, "Nothing new was sent", content, here=PATH, live=False)


def _already_there(visit: Visit, acted: Acted, outcome: Outcome) -> Response:
    guidance = reference.guidance_for(200, outcome.status)
    content = h.div(".alone")[
        h.h1["Nothing new was sent"],
        h.p[h.b[outcome.status.replace("_", " ")], ". ", guidance.meaning if guidance else None],
        h.p(".acts")[
            _order_link(visit, outcome),
            h.a(".button", href=parts.alert_address(acted.request_id))["Its record"],
            h.a(".button", href=PATH)["A new order"],
        ],
    ]
    return layout.respond(visit, "Nothing new was sent", content, here=PATH, live=False)


def _order_link(visit: Visit, outcome: Outcome) -> Node:
    order = order_now(visit, outcome.order_id) if outcome.order_id else None
    if order is None:
        return None
    return h.a(".button.primary", href=parts.order_address(order.account, order.order_id))["The order"]


def _refused(visit: Visit, word: str, values: Mapping[str, str], acted: Acted, error: OrderhookError) -> Response:
    guidance = reference.guidance_for(responses.status(error), responses.word(error))
    done = bool(error.affected_order_ids or error.results or error.extra)
    notice = h.div(".notice.bad", role="alert")[
        h.p[
            h.span(".mark", aria_hidden="true")["✕"],
            h.span(".word")["Not all of it was done: " if done else "Refused: "],
            h.b[responses.word(error)],
        ],
        h.p[value(error.detail)],
        h.p[guidance.what_to_do] if guidance else None,
        h.p[h.a(href=parts.alert_address(acted.request_id))["Its record"], " has all of it."],
    ]
    return _form(visit, word, values, (told_of(error),), refused=error, notice=notice)


def _to_what_came_of_it(visit: Visit, values: Mapping[str, str], acted: Acted, outcome: Outcome) -> Response:
    account = values.get("account", "")
    if outcome.order_id and not outcome.results:
        if not account or "," in account:
            order = order_now(visit, outcome.order_id)
            account = order.account if order else ""
        if account:
            return http.see_other(parts.ORDER, {"account": account, "orderId": outcome.order_id})
    return http.see_other(parts.alert_address(acted.request_id))
