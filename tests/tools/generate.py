# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what follows from the role's argument specs; with --check, fail where a file differs.

The specs give the role's defaults, the list of variables that the role knows, the playbooks'
argument specs and the tables in the READMEs; with the list of questions also the surveys, and
what the filter for their answers knows.
"""

from __future__ import annotations

import argparse
import re
import sys
import typing as t
from pathlib import Path

import surveys
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = Path("roles/ignite_lockdown")
SPECS = ROLE / "meta" / "argument_specs.yml"
READMES = (Path("README.md"), ROLE / "README.md")
BEGIN, END = "<!-- generated: variables -->", "<!-- /generated -->"
QUESTIONS = Path("extensions/awx/survey.yml")
SURVEYS = Path("extensions/awx/controller/surveys.yml")
ANSWERS = Path("plugins/module_utils/_core/survey_questions.py")
AWX = Path("docs/awx.md")
SURVEY_SOURCES = f"{QUESTIONS.as_posix()} and the role's argument specs"

# Entry point of the role -> playbook.
PLAYBOOKS = {
    "main": "lockdown",
    "verify": "verify",
    "refresh": "refresh",
    "drift": "drift",
    "fleet": "fleet",
    "fleet_report": "fleet_report",
    "render": "render",
    "rollback": "rollback",
    "remove": "remove",
    "audit": "audit",
    "verify_evidence": "verify_evidence",
}
RESULT = "ignite_lockdown_result"
HOSTS: dict[str, t.Any] = {
    "ignite_lockdown_hosts": {
        "description": "Inventory hosts or groups that the playbook runs for, one host for each cluster.",
        "type": "str",
        "default": "localhost",
    }
}

HEADER = """---
# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
NOTE = "# Generated from {source} by make generate: change it there.\n"

Options = dict[str, t.Any]


class Dumper(yaml.SafeDumper):
    """Block style with indented lists and no aliases, as people write it."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


Dumper.add_representer(str, Dumper.represent_str)


class Specs:
    """The argument specs of the role."""

    def __init__(self, text: str) -> None:
        self.entry_points: dict[str, dict[str, t.Any]] = yaml.safe_load(text)["argument_specs"]
        # Merge keys lose the order in which a person reads; the text has it.
        definitions = re.finditer(r"^ +(\w+):(?: &\w+)?\n +description:", text, re.MULTILINE)
        self._order = {match[1]: match.start() for match in reversed(list(definitions))}

    def options(self, entry_point: str) -> Options:
        found: Options = self.entry_points[entry_point]["options"]
        return self.sorted(found)

    def sorted(self, options: Options) -> Options:
        return {name: options[name] for name in sorted(options, key=lambda name: self._order[name])}

    def every_option(self) -> dict[str, tuple[dict[str, t.Any], list[str]]]:
        """Each variable with its spec and the entry points that read it."""
        found: dict[str, tuple[dict[str, t.Any], list[str]]] = {}
        for entry_point in self.entry_points:
            for name, spec in self.options(entry_point).items():
                known, users = found.setdefault(name, (spec, []))
                if known != spec:
                    raise ValueError(f"{name} means different things in {users[0]} and {entry_point}")
                users.append(entry_point)
        return found


def dump(data: t.Any) -> str:
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, width=110, allow_unicode=True)


def defaults(specs: Specs) -> str:
    parts = [HEADER + NOTE.format(source="meta/argument_specs.yml").rstrip()]
    for name, (spec, _) in specs.every_option().items():
        if "default" in spec:
            parts.append(dump({name: spec["default"]}).rstrip())
    return "\n\n".join(parts) + "\n"


def known(specs: Specs) -> str:
    names = [*specs.every_option(), *HOSTS, RESULT]
    return HEADER + NOTE.format(source="meta/argument_specs.yml") + dump({"__ignite_lockdown_known": names})


def playbook_specs(specs: Specs, entry_point: str) -> str:
    entry = specs.entry_points[entry_point]
    spec = {
        "short_description": entry["short_description"],
        "description": entry["description"],
        "examples": entry["examples"],
        "options": {**HOSTS, **specs.options(entry_point)},
    }
    note = NOTE.format(source=SPECS.as_posix())
    content = {
        "short_description": entry["short_description"],
        "description": " ".join(entry["description"]),
        "argument_specs": {PLAYBOOKS[entry_point]: spec},
    }
    return HEADER + note + dump(content)


def tables(specs: Specs) -> str:
    """One table of the variables, and one for each list of mappings among them."""
    every = specs.every_option()
    rows = [
        _row(name, spec, "all" if len(users) == len(specs.entry_points) else ", ".join(users))
        for name, (spec, users) in every.items()
    ]
    parts = [_table(("Variable", "Type", "Default", "Entry points", "Meaning"), rows)]
    for name, (spec, _) in every.items():
        if spec.get("elements") == "dict":
            items = specs.sorted(spec["options"]).items()
            parts.append(f"Keys of each entry of `{name}`:")
            parts.append(_table(("Key", "Type", "Default", "Meaning"), [_row(key, sub) for key, sub in items]))
    return "\n\n".join(parts)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str, spec: dict[str, t.Any], *users: str) -> tuple[str, ...]:
    return (f"`{name}`", _type(spec), _default(spec), *users, _meaning(spec))


def _type(spec: dict[str, t.Any]) -> str:
    return f"list of {spec['elements']}" if "elements" in spec else str(spec["type"])


def _default(spec: dict[str, t.Any]) -> str:
    if spec.get("required"):
        return "**required**"
    if "default" not in spec:
        return ""
    text = yaml.dump(spec["default"], default_flow_style=True, sort_keys=False, width=1000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _meaning(spec: dict[str, t.Any]) -> str:
    description = spec["description"]
    text = " ".join(description if isinstance(description, list) else [description])
    plain = re.sub(r"\b(?:C|V|O|RV|M|E)\(([^)]+)\)", _code, text.strip())
    choices = ", ".join(f"`{choice}`" for choice in spec.get("choices", []))
    return (f"{plain} One of {choices}." if choices else plain).replace("|", "\\|")


def _plain_meaning(spec: dict[str, t.Any]) -> str:
    return _meaning({key: value for key, value in spec.items() if key != "choices"}).replace("`", "")


def _code(match: re.Match[str]) -> str:
    """A name in code type; of an option of another plugin or of an entry only its own name."""
    name = re.split(r"#.*:|\[\]\.", match[1])[-1]
    return f"`{name}`"


def between_marks(text: str, tables: str) -> str:
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{begin}\n\n{tables}\n\n{end}{tail}" if begin and end else text


def questions(specs: Specs, text: str) -> surveys.Source:
    """What the surveys are made of."""
    asked = yaml.safe_load(text)
    every = {name: spec for name, (spec, _) in specs.every_option().items()}
    read = {entry_point: specs.options(entry_point) for entry_point in specs.entry_points}
    return surveys.Source(asked["questions"], asked["surveys"], every, read, _plain_meaning)


def answers(source: surveys.Source) -> str:
    """What the filter for answers knows, as a Python module."""
    note = NOTE.format(source=SURVEY_SOURCES)
    kinds = [f'    "{name}": "{kind}",' for name, kind in surveys.kinds(source).items()]
    flags = []
    for name, options in surveys.flags(source).items():
        flags += [f'    "{name}": (', *(f'        "{option}",' for option in options), "    ),"]
    lines = [
        *HEADER.removeprefix("---\n").splitlines(),
        note.rstrip(),
        '"""What a survey asks for: the type of each option, and the options behind a question for several."""',
        "",
        "from __future__ import annotations",
        "",
        "QUESTIONS: dict[str, str] = {",
        *kinds,
        "}",
        "FLAGS: dict[str, tuple[str, ...]] = {",
        *flags,
        "}",
    ]
    return "\n".join(lines) + "\n"


def survey_files(root: Path, specs: Specs) -> dict[Path, str]:
    source = questions(specs, (root / QUESTIONS).read_text())
    note = NOTE.format(source=SURVEY_SOURCES)
    files = {SURVEYS: HEADER + note + dump(surveys.variables(source)), ANSWERS: answers(source)}
    if (root / AWX).is_file():
        head = ("Variable", "Widget", "Starts with", "Surveys", "Option")
        files[AWX] = between_marks((root / AWX).read_text(), _table(head, list(surveys.table(source))))
    return files


def wanted(root: Path) -> dict[Path, str]:
    """Every generated file with the content that it should have."""
    specs = Specs((root / SPECS).read_text())
    files = {
        ROLE / "defaults" / "main.yml": defaults(specs),
        ROLE / "vars" / "main" / "known.yml": known(specs),
    }
    for entry_point, playbook in PLAYBOOKS.items():
        files[Path("playbooks") / f"{playbook}.meta.yml"] = playbook_specs(specs, entry_point)
    for path in READMES:
        if (root / path).is_file():
            files[path] = between_marks((root / path).read_text(), tables(specs))
    return {**files, **survey_files(root, specs)}


def differing(root: Path) -> list[Path]:
    """Generated files that are missing or not as they should be."""
    files = wanted(root).items()
    return [path for path, text in files if not (root / path).is_file() or (root / path).read_text() != text]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a file differs")
    check: bool = parser.parse_args(arguments).check
    stale = differing(ROOT)
    for path in stale:
        if check:
            print(f"{path} differs from {SPECS}: run make generate", file=sys.stderr)
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(wanted(ROOT)[path])
            print(f"wrote {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
