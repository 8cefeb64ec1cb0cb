"""The fields of a command as a form has them: what is needed first, the rest folded by subject."""

from collections.abc import Iterable, Mapping, Sequence

import htpy as h
from htpy import Node

from orderhook.console.drafts import Told
from orderhook.console.fields import (
    COMMAND_GROUPS,
    COMMAND_WORDS,
    FIELDS,
    KILL_SWITCH,
    ORDER,
    SUBJECTS,
    Place,
    choices,
    examples,
    explanation,
    in_full,
    places,
)
from orderhook.console.pages.text import value

Marks = Mapping[str, Sequence[Node]]
"""What stands under each field: a fault, a warning, an example."""


def choose_command(chosen: str, *, button: str = "Show its fields") -> Node:
    """Return the choice of a command, grouped as a trader looks for it."""
    return h.div(".field.command")[
        h.label(for_="f-command")["What the alert does" if button else "Command"],
        h.div(".acts")[
            h.select("#f-command", name="command", aria_describedby="says-command", data_submits=True)[
                (
                    h.optgroup(label=group)[
                        (
                            h.option(value=word, selected=word == chosen)[f"{words.label} ({_shown(word)})"]
                            for word, words in of_group.items()
                        )
                    ]
                    for group, of_group in COMMAND_GROUPS.items()
                )
            ],
            h.button(name="go", value="fields")[button],
        ],
        h.p("#says-command.hint")[COMMAND_WORDS[chosen].says],
    ]


def _shown(word: str) -> str:
    return "kill_switch" if word == KILL_SWITCH else word


def fields_of(word: str, values: Mapping[str, str], marks: Marks, *, of_strategy: bool | None) -> Node:
    """Return the fields of a command; `of_strategy` says of which kind of alert, None of what is given by hand."""
    own = places(word)

    def of(subject: str) -> list[Place]:
        return [it for it in own if it.subject == subject]

    def inputs(these: Iterable[Place]) -> Node:
        return (_field(word, it, values.get(it.name, ""), marks, of_strategy=of_strategy) for it in these)

    return h.fragment[
        h.div(".grid")[inputs(of(ORDER))] if of(ORDER) else h.p(".hint")["This command needs nothing more."],
        (
            h.details(".options", open=any(it.name in values or _is_wrong(marks, it) for it in of(subject)))[
                h.summary[subject, " ", h.small[", ".join(FIELDS[it.name].label.lower() for it in of(subject))]],
                h.div(".grid")[inputs(of(subject))],
            ]
            for subject in SUBJECTS[1:]
            if of(subject)
        ),
    ]


def all_fields(word: str) -> Node:
    """Return every field of a command, with all that may stand there."""
    return h.details(".options")[
        h.summary["Every field in full ", h.small["and what may stand there"]],
        h.dl(".pairs")[((h.dt[h.code[it.name]], h.dd[in_full(it.name)]) for it in places(word))],
    ]


def _is_wrong(marks: Marks, place: Place) -> bool:
    return bool(marks.get(place.name))


def _field(word: str, place: Place, given: str, marks: Marks, *, of_strategy: bool | None) -> Node:
    name = place.name
    own = marks.get(name, ())
    attributes = {
        "id": f"f-{name}",
        "name": name,
        "aria-describedby": f"told-{name} says-{name}",
        "aria-invalid": "true" if any("error" in str(it) for it in own) else None,
    }
    needed = h.span(".badge")["needed"] if place.required else None
    return h.div(".field")[
        h.label(for_=f"f-{name}")[FIELDS[name].label, " ", h.code[name], " ", needed],
        _input(word, name, given, attributes, of_strategy=of_strategy),
        h.div(id=f"told-{name}", data_told=True)[own],
        h.p(".hint", id=f"says-{name}")[explanation(word, name)],
    ]


def _input(word: str, name: str, given: str, attributes: Mapping[str, str | None], *, of_strategy: bool | None) -> Node:
    if offered := choices(word, name, of_strategy=of_strategy):
        # Words of alerts may be in any case; what is none of these is kept, so that its fault can be seen.
        chosen = next((it for it in offered if it.lower() == given.lower()), given)
        known = offered if chosen in ("", *offered) else (*offered, chosen)
        return h.select(attributes)[
            h.option(value="")["(none)" if name not in ("action", "order_type", "tif") else "choose"],
            (h.option(value=it, selected=it == chosen)[it] for it in known),
        ]
    listed = examples(name, of_strategy=of_strategy)
    common = {**attributes, "value": given, "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
    if name == "notes":
        return h.textarea(attributes, rows=2, maxlength=500)[f"\n{given}" if given[:1] == "\n" else given]
    return h.fragment[
        h.input(common, type="text", list=f"for-{name}" if listed else None),
        h.datalist(id=f"for-{name}")[(h.option(value=it) for it in listed)] if listed else None,
    ]


def error(told: Told) -> Node:
    """Return a fault as it stands under its field."""
    return h.p(".error")[value(told.detail)]


def hint(words: Node) -> Node:
    """Return what is told under a field besides."""
    return h.p(".told")[words]
