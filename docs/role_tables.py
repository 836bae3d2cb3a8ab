"""Write the tables of variables in the roles' READMEs from their argument specs.

Run it after a change of an argument spec: ``python docs/role_tables.py``. A unit test compares
the READMEs with what it would write.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).parent.parent / "roles"
BEGIN = "<!-- begin variables -->"
END = "<!-- end variables -->"


def argument_spec(role: Path) -> dict[str, Any]:
    """The options of a role's main entry point."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    options: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return options


def table(role: Path) -> str:
    """The Markdown table of a role's variables, in the order of its argument spec."""
    rows = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, option in argument_spec(role).items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        choices = ", ".join(
            f"`{choice}`" if choice else "empty" for choice in option.get("choices", [])
        )
        meaning = re.sub(r"C\(([^)]*)\)", r"`\1`", option["description"].strip())
        if choices:
            meaning += f" One of {choices}."
        rows.append(f"| `{name}` | {kind} | {_shown(option['default'])} | {meaning} |")
    return "\n".join(rows)


def with_table(role: Path) -> str:
    """The README of a role with its table renewed.

    Raises:
        ValueError: the README lacks the two marks.
    """
    text = (role / "README.md").read_text()
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{role.name}/README.md: the marks {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n{table(role)}\n{END}{after}"


def _shown(default: Any) -> str:
    text = json.dumps(default) if not isinstance(default, str) else default
    # A bar would end the cell, inside backticks as well.
    return f"`{text}`".replace("|", "\\|") if text else "empty"


if __name__ == "__main__":
    for folder in sorted(ROLES.iterdir()):
        (folder / "README.md").write_text(with_table(folder))
