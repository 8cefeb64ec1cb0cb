"""The documents say what the code does: their alerts are read, their commands parsed, their lists compared.

A fence says what it holds. `alert` is one alert that is accepted, `alert CODE` one that is refused with that code; a
line of `sh` that sends or checks a refused one ends in `# refused: CODE`.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.aws import demo
from cli.aws.table import read_template
from orderhook import explain, reference, responses
from orderhook.commands import COMMANDS, Command
from orderhook.commands.kill_switch import KillSwitch
from orderhook.orders import BEING_CANCELLED, CANCELLABLE, OPEN, TERMINAL, OrderState
from orderhook.payload import KNOWN_NAMES, SYNONYMS
from orderhook.responses import STATUS_AND_CODE
from orderhook.venues import NINJATRADER, TABLE, Venue

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES}
README, REFERENCE = TEXTS["README.md"], TEXTS["docs/commands.md"]

KINDS = {"sh", "powershell", "alert", "text", "json", "python"}
"""What a fence may hold."""

PLACEHOLDERS = {
    "{{close}}": "5000.25",
    "{{timenow}}": "2026-11-27T14:30:00Z",
}
"""What TradingView writes in place of those that the documents use."""


WRITTEN = {"bridge.toml"}
"""The files that a command writes, and that documents name."""


class Fence(NamedTuple):
    """A fenced block, and where it stands."""

    page: str
    line: int
    kind: str
    note: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def fences() -> Iterator[Fence]:
    """Yield every fenced block of every document; one inside a list is indented."""
    for page, text in TEXTS.items():
        for found in re.finditer(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", text, re.M):
            kind, _, note = found[2].partition(" ")
            body = re.sub(rf"^{found[1]}", "", found[3], flags=re.M)
            yield Fence(page, text[: found.start()].count("\n") + 1, kind, note, body)


FENCES = list(fences())
SHELL = [(str(it), line) for it in FENCES if it.kind in ("sh", "powershell") for line in it.text.splitlines()]
INLINE = [
    (page, found)
    for page, text in TEXTS.items()
    for found in re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*\n(?:.*\n)*?^ *```$", "", text, flags=re.M))
]


def words(line: str) -> list[str]:
    """Return the words of a command line, without its comment and without what is piped on."""
    split = shlex.split(line.partition(" | ")[0], comments=True)
    return split[1:] if split else []


def orderhook_lines() -> list[tuple[str, str]]:
    """Return every line that runs the command, wherever it stands."""
    lines = [(where, line.removeprefix(".venv\\Scripts\\").removeprefix(".venv/bin/")) for where, line in SHELL]
    return [(where, line) for where, line in [*lines, *INLINE] if line.startswith("orderhook ")]


ORDERHOOK = orderhook_lines()
ALERTS = [(str(fence), fence.text, fence.note) for fence in FENCES if fence.kind == "alert"]
SENT = [
    (where, words(line)[1], refused[1] if (refused := re.search(r"# refused: (\w+)$", line)) else "")
    for where, line in ORDERHOOK
    if re.match(r"orderhook (send|check) ['\"]", line)
]


def fault_of(alert: str, venue: Venue = TABLE) -> str:
    """Return the code that an alert is refused with, or nothing; TradingView has replaced its placeholders."""
    for placeholder, value in PLACEHOLDERS.items():
        alert = alert.replace(placeholder, value)
    alert = alert.replace("your-secret-key", demo.KEY)
    if "key" not in {name.strip() for name in re.findall(r"(\w+)\"?\s*[=:]", alert)}:
        alert = f"key={demo.KEY};{alert}"  # as `orderhook send` adds it from the environment
    faults = explain.explain(alert.encode(), venue=venue).faults
    return responses.word(faults[0]) if faults else ""


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or a higher one."""
    level = heading.split(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.M | re.S)
    assert found, heading
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, their heads left out."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    heads = {number - 1 for number, line in enumerate(lines) if re.fullmatch(r"[\s|:-]+", line)}
    body = [line for n, line in enumerate(lines) if n not in heads and not re.fullmatch(r"[\s|:-]+", line)]
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in body]


# Alerts


@pytest.mark.parametrize(("where", "alert", "refused"), [*ALERTS, *SENT], ids=str)
def test_an_alert_in_a_document_is_read_as_the_document_says(where: str, alert: str, refused: str) -> None:
    # What is read with a venue is noted so, before the code of its refusal; the bridge's page is all for one.
    note, _, code = refused.partition(" ")
    if note == "venue" or where.startswith("docs/bridge.md"):
        assert fault_of(alert, NINJATRADER) == (code if note == "venue" else refused), where
    else:
        assert fault_of(alert) == refused, where


def test_there_are_alerts_of_both_kinds() -> None:
    assert len(ALERTS) > 20
    assert len(SENT) > 3
    assert {refused for _, _, refused in ALERTS} > {"", "strategy_id_required"}


def test_a_wrong_alert_would_be_noticed() -> None:
    assert fault_of("key=your-secret-key; command=CANCEL;") == "missing_field"
    assert fault_of("command=CANCEL; order_id={{nothing}};") == "unresolved_placeholder"


def test_every_fence_says_what_it_holds_and_no_alert_goes_unread() -> None:
    for fence in FENCES:
        assert fence.kind in KINDS, fence
        if fence.kind not in ("alert", "sh", "powershell"):
            assert "key=" not in fence.text, fence
    assert len(FENCES) * 2 == sum(len(re.findall(r"^ *```", text, re.M)) for text in TEXTS.values())


@pytest.mark.parametrize("fence", [fence for fence in FENCES if fence.kind == "json"], ids=str)
def test_json_in_a_document_is_json(fence: Fence) -> None:
    answer = json.loads(fence.text)
    assert answer.get("status", "cancelled") in reference.STATUS_WORDS
    assert answer.get("error", "missing_field") in reference.ERROR_CODES


# Commands of a shell


@pytest.mark.parametrize(("where", "line"), ORDERHOOK, ids=str)
def test_the_command_takes_these_options(where: str, line: str) -> None:
    # All words are parsed before --help is heeded: an option that is not there is an error.
    result = CliRunner().invoke(app, [*words(line), "--help"])
    assert result.exit_code == 0, f"{where}: {result.output}"


def test_an_option_that_is_not_there_is_noticed() -> None:
    assert len(ORDERHOOK) > 20
    assert CliRunner().invoke(app, ["orders", "--no-such-option", "--help"]).exit_code == 2


def makefile_targets() -> set[str]:
    return set(re.findall(r"^(\.?[a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def test_the_makefile_has_every_target_that_a_document_names() -> None:
    named = {target for _, line in [*SHELL, *INLINE] for target in re.findall(r"\bmake (\.?[a-z][a-z-]*)", line)}
    assert {"run", "test", "build"} <= named <= makefile_targets()


def test_contributing_says_what_every_target_costs() -> None:
    table = rows(section(TEXTS["CONTRIBUTING.md"], "## What each target costs"))
    assert {row[0].strip("`").removeprefix("make ") for row in table} == makefile_targets() - {
        ".venv",
        ".venv-sam",
        ".venv-deploy",
    }


# Links


LINKS = [(page, target) for page, text in TEXTS.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)]


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "target"), [link for link in LINKS if "://" not in link[1]], ids=str)
def test_what_it_links_to_is_there(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    linked = (ROOT / page).parent / path if path else ROOT / page
    assert linked.exists()
    if anchor:
        assert anchor in anchors(linked.read_text(encoding="utf-8"))


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = [target.partition("#")[0] for at, target in LINKS if at == page and "://" not in target]
        linked = {((ROOT / page).parent / path).resolve() for path in links}
        waiting += {str(path.relative_to(ROOT)) for path in linked} & TEXTS.keys() - reached
    assert reached == TEXTS.keys()


# What the code has, the documents name


KINDS_OF_COMMANDS: dict[str, type[Command]] = {**COMMANDS, KillSwitch.word: KillSwitch}


def test_the_commands_page_has_a_section_for_every_command() -> None:
    for word in COMMANDS:
        text = section(REFERENCE, f"## {word}")
        fenced = [fence.text for fence in FENCES if fence.kind == "alert" and fence.text in text]
        assert any(f"command={word};" in alert for alert in fenced), word


def states_in(text: str) -> set[OrderState]:
    return {state for state in OrderState if re.search(rf"\b{state}\b", text)}


def test_the_commands_page_says_what_becomes_of_a_cancel_in_every_state() -> None:
    said = {row[1]: states_in(row[0]) for row in rows(section(REFERENCE, "## CANCEL"))}
    assert said["200 `cancelled`"] == CANCELLABLE
    assert said["200 `already_cancelled`"] == {OrderState.CANCELLED}
    [pending] = [states for answer, states in said.items() if "`cancel_pending`" in answer]
    assert pending == BEING_CANCELLED
    assert said["409 `order_already_terminal`"] == TERMINAL - {OrderState.CANCELLED}


def test_the_commands_page_says_which_states_are_open_and_which_are_finished() -> None:
    [said] = re.findall(r"\*\*Order states\*\*.*?Open: (.*?)\. Finished: (.*?)\.\s", REFERENCE, re.S)
    assert [states_in(part) for part in said] == [OPEN, TERMINAL]


def test_the_list_of_fields_is_that_of_the_code() -> None:
    table = rows(section(REFERENCE, "## Every field"))
    assert sorted(row[0].strip("`") for row in table) == sorted(KNOWN_NAMES)


@pytest.mark.parametrize("row", rows(section(REFERENCE, "## Every field")), ids=lambda row: row[0])
def test_the_list_of_fields_says_who_uses_them(row: list[str]) -> None:
    name, _, said = row
    name = SYNONYMS.get(name.strip("`"), name.strip("`"))
    kinds = KINDS_OF_COMMANDS
    refusing = {word for word, kind in kinds.items() if name in kind.refused and word != KillSwitch.word}
    users = {word for word, kind in kinds.items() if name in kind.alert_fields() and name not in kind.refused}
    if said == "all":
        assert name in ("key", "command") or users == kinds.keys()
    elif said == "all but the kill switch":
        assert users == COMMANDS.keys()
    elif said == "the kill switch":
        assert users == {KillSwitch.word}
    elif said == "none":
        assert users | refusing == set()
    elif said.startswith("refused in "):
        assert (set(said.removeprefix("refused in ").split(", ")), set()) == (refusing, users)
    else:
        assert set(said.split(", ")) == users


def test_the_answers_have_every_word_and_every_code_with_its_status() -> None:
    table = rows(section(REFERENCE, "## Answers"))
    said = {(row[0], word) for row in table if row[0].isdigit() for word in re.findall(r"`(\w+)`", row[1])}
    known = {(str(status), word) for status, word in STATUS_AND_CODE.values()}
    assert said == known | {("200", word) for word in reference.STATUS_WORDS}


def test_the_warnings_are_those_of_the_code() -> None:
    found: set[str] = set()
    for path in (ROOT / "functions" / "orderhook").rglob("*.py"):
        found |= set(re.findall(r"(?:AlertWarning\(|_warn\(info, )\s*\"(\w+)\"", path.read_text(encoding="utf-8")))
    said = {row[0].strip("`") for row in rows(section(REFERENCE, "## Answers")) if len(row) == 2}
    assert said == found != set()


def test_every_command_is_compared_with_crosstrade() -> None:
    table = rows(section(TEXTS["docs/from-crosstrade.md"], "## Commands"))
    assert {row[1] for row in table} == {"same", "different"}
    assert {row[0] for row in table} == COMMANDS.keys()


def test_every_option_of_the_language_is_compared_with_crosstrade() -> None:
    table = rows(section(TEXTS["docs/from-crosstrade.md"], "## Options"))
    assert {row[2] for row in table} == {"same", "different", "not yet"}
    options = KNOWN_NAMES - {
        *"key command instrument action qty quantity order_type limit_price stop_price tif oco_id order_id".split(),
    }
    named = {name for row in table for name in re.findall(r"[a-z_]+", row[1])}
    assert options <= named


def test_the_operators_page_has_every_parameter_and_alarm() -> None:
    template, page = read_template(), TEXTS["docs/operate.md"]
    parameters = {row[0]: row[1] for row in rows(section(page, "## Parameters"))}
    assert parameters == {
        name: str(parameter["Default"]) or "empty" for name, parameter in template["Parameters"].items()
    }
    alarms = {name for name, it in template["Resources"].items() if it["Type"] == "AWS::CloudWatch::Alarm"}
    assert {row[0] for row in rows(section(page, "## Alarms"))} == alarms


def test_every_row_of_the_operators_page_is_read_in_one_look() -> None:
    long = [line for line in TEXTS["docs/operate.md"].splitlines() if line.startswith("|") and len(line) > 200]
    assert long == []


def test_the_operators_page_goes_back_to_the_release_that_updates_are_tested_from() -> None:
    updates = (ROOT / "tests/deploy/test_updates.py").read_text(encoding="utf-8")
    named = re.findall(r"^git checkout (\S+)$", section(TEXTS["docs/operate.md"], "### Roll back"), re.M)
    assert re.findall(r'^LAST_RELEASE = "(.{7}).{33}"$', updates, re.M) == named


# The tree


def modules_in_the_tree(note: str) -> list[str]:
    [tree] = [fence.text for fence in FENCES if (fence.kind, fence.note) == ("text", note)]
    parents: list[str] = []
    found = []
    for line in tree.splitlines():
        drawn, name = re.match(r"([│├└─ ]*)(\S+)", line).groups()  # type: ignore[union-attr]
        depth = len(drawn) // 4
        parents[depth:] = [name]
        if name.endswith(".py"):
            found.append("".join(parents[: depth + 1]))
    return found


@pytest.mark.parametrize(("note", "folder"), [("tree", "functions"), ("bridge", "bridge")])
def test_the_tree_names_every_module_once(note: str, folder: str) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
    assert sorted(modules_in_the_tree(note)) == sorted(path for path in modules if not path.endswith("__init__.py"))


@pytest.mark.parametrize("folder", ["functions/orderhook", "bridge"])
def test_the_map_of_a_package_names_each_of_its_modules(folder: str) -> None:
    base = ROOT / folder
    named = set(re.findall(r"\w+", (base / "__init__.py").read_text(encoding="utf-8")))
    assert {path.stem for path in base.glob("*.py")} - {"__init__"} - named == set()


@pytest.mark.parametrize("folder", ["functions/orderhook", "bridge"])
def test_every_module_stands_in_a_contract_of_its_own_about_imports(folder: str) -> None:
    """A contract about a whole package says nothing of what one of its modules may not import."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    named = {module for contract in contracts for module in contract.get("source_modules", ())}
    named |= {module for contract in contracts for layer in contract.get("layers", ()) for module in layer.split(" | ")}
    base = ROOT / folder
    package = base.name
    modules = {
        ".".join((package, *path.relative_to(base).with_suffix("").parts))
        for path in base.rglob("*.py")
        if path.name != "__init__.py"
    }
    bare = {it for it in modules if not any(it == name or it.startswith(f"{name}.") for name in named - {package})}
    assert bare == set()


def test_a_module_that_a_document_names_is_there() -> None:
    folders = ("", "functions/", "functions/orderhook/")
    today = [(page, text) for page, text in INLINE if page not in ("CHANGELOG.md", "docs/decisions.md")]
    named = {(page, text) for page, text in today if re.fullmatch(r"[\w./-]+\.(py|json|yaml|toml|md|txt)", text)}
    named = {(page, text) for page, text in named if text not in WRITTEN}
    missing = {(page, text) for page, text in named if not any((ROOT / folder / text).exists() for folder in folders)}
    assert missing == set()


# The rest


def test_the_readme_says_first_that_nothing_is_sent_to_a_broker() -> None:
    assert "nothing is sent to a broker" in README.split("\n\n")[1].lower().replace("\n", " ")


def test_what_the_readme_shows_is_what_the_command_prints() -> None:
    assert reference.STATUS_WORDS["cancelled"].meaning in README
    assert reference.STATUS_WORDS["cancelled"].what_to_do in README


def test_the_changelog_has_the_version() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", TEXTS["CHANGELOG.md"], re.M)
    assert versions[0] == project["version"]
    assert versions == sorted(versions, reverse=True)
    assert (project["license"], project["license-files"]) == ("MIT", ["LICENSE"])
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")
