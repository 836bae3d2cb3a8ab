"""Write what is generated in the documentation: tables, the matrix and the JSON Schemas.

Run it after a change of an argument spec, a stack or a report: ``python docs/generate.py``. Unit
tests compare the files with what it would write.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import architecture
import msgspec
import troubleshooting
import yaml
from generated_parts import ROOT, filled, joined

from rdna1.catalog.cards import card_list
from rdna1.catalog.stacks import load_stack, stack_names
from rdna1.measure.envelope import Envelope
from rdna1.measure.verbs import VERBS, Reports
from rdna1.mirror import Manifest
from rdna1.preflight import Facts, Report
from rdna1.preflight.advice import Advice
from rdna1.preflight.matrix import Matrix, matrix
from rdna1.report.audit import AuditReport
from rdna1.report.fleet import FleetReport
from rdna1.report.json import to_json
from rdna1.report.matrix import matrix_markdown
from rdna1.report.provision import ProvisionReport

ROLES = sorted((ROOT / "roles").iterdir())
_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
STACKS_PAGE = ROOT / "docs" / "stacks.md"
BENCHMARKS_PAGE = ROOT / "docs" / "benchmarks.md"
ARCHITECTURE_PAGE = ROOT / "docs" / "architecture.md"
TROUBLESHOOTING_PAGE = ROOT / "docs" / "troubleshooting.md"
RELIABILITY_PAGE = ROOT / "docs" / "reliability.md"
GUARD_PAGE = ROOT / "docs" / "guard.md"
# What tests/bench/guard.py writes; its keys, and what the table calls them.
GUARD_RESULTS = sorted((ROOT / "docs").glob("guard-bench-*.json"), reverse=True)
_GUARD_COLUMNS = {
    "native": "native",
    "native_row": "in a row",
    "native_gpu": "the GPU",
    "guard": "guard",
    "guard_row": "in a row",
    "guard_gpu": "the GPU",
    "without_cudnn": "without cuDNN",
    "without_cudnn_row": "in a row",
    "hybrid": "hybrid",
    "native_training": "training native",
    "guard_training": "training guard",
    "recorded_training": "training recorded",
    "patch_conv": "patch_conv",
    "patch_conv_at_once": "patch_conv at once",
    "native_mib": "MiB native",
    "guard_mib": "MiB guard",
    "tiles_workspace_mib": "MiB of it cuDNN's workspace",
    "unrecorded_percent": "guard without recorder, %",
    "recorder_percent": "with it, %",
    "hooks_percent": "two empty hooks, %",
}
# Of what a guarded layer is compared with, and what the table calls it: of a call alone, for which
# the host's part shows with small layers; of calls in a row; and without the host.
_GUARD_RATIOS = {
    "guard / native": ("guard", "native"),
    "in a row": ("guard_row", "native_row"),
    "on the GPU alone": ("guard_gpu", "native_gpu"),
    "guard / without cuDNN": ("guard", "without_cudnn"),
    "of that in a row": ("guard_row", "without_cudnn_row"),
    "of that on the GPU alone": ("guard_gpu", "without_cudnn_gpu"),
    "hybrid / guard": ("hybrid", "guard"),
    "hybrid / guard on the GPU alone": ("hybrid", "guard_gpu"),
}
_GUARD_MEANS = {
    "inference": "in inference",
    "inference_row": "in inference of calls in a row",
    "inference_gpu": "in inference on the GPU alone",
    "training": "in training",
    "strips": "where only the height is limited (float16)",
}
# What tests/bench/guard_models.py writes, and what the table calls its keys.
GUARD_MODELS = ROOT / "docs" / "guard-models.json"
_MODEL_COLUMNS = {
    "float64_guard_to_native": "float64: guard to native",
    "float32_guard_to_native": "float32: guard to native",
    "float32_native_to_float64": "float32 native to float64",
    "float32_guard_to_float64": "float32 guard to float64",
}
# What './run faults --record' writes.
FAULT_RESULTS = ROOT / "docs" / "reliability-results.json"
SCHEMAS: dict[str, tuple[type[msgspec.Struct], str]] = {
    "preflight": (Report, "what rdna1-preflight --format json prints"),
    "facts": (Facts, "what rdna1-preflight facts prints"),
    "advice": (Advice, "what rdna1-preflight advise --format json prints"),
    "matrix": (Matrix, "what rdna1-preflight matrix --format json prints"),
    **{
        verb.name: (verb.report, f"what rdna1-validate {verb.name} --format json prints")
        for verb in VERBS
    },
    "reports": (Reports, "what rdna1-validate report --format json prints of several results"),
    "envelope": (Envelope, "what rdna1-validate boundary --envelope FILE writes"),
    "audit": (AuditReport, "what rdna1-audit --format json prints"),
    "mirror": (Manifest, "manifest.json of what playbooks/mirror.yml collects"),
    "provision": (ProvisionReport, "report.json of a host, which site.yml writes at its end"),
    "fleet": (FleetReport, "what playbooks/preflight.yml writes to fleet.json"),
}


def generated() -> dict[Path, str]:
    """What every file with generated parts should hold.

    Raises:
        ValueError: a page lacks the marks of a generated part.
    """
    table = matrix_markdown(matrix(map(load_stack, stack_names()), card_list())).rstrip("\n")
    pages = {role / "README.md": {"variables": variables_table(role)} for role in ROLES} | {
        STACKS_PAGE: {"matrix": f"\n{table}\n"},
        GUARD_PAGE: {
            "guard-benchmarks": f"\n{guard_tables()}\n",
            "guard-models": f"\n{guard_models_table()}\n",
        },
        BENCHMARKS_PAGE: {"benchmarks": f"\n{benchmarks_table()}\n"},
        RELIABILITY_PAGE: reliability_tables(),
        ARCHITECTURE_PAGE: _apart(architecture.parts() | {"schemas": schemas_table()}),
        TROUBLESHOOTING_PAGE: _apart(troubleshooting.parts()),
    }
    texts = {page: filled(page, parts) for page, parts in pages.items()}
    return texts | {schema_path(name): schema(name) for name in SCHEMAS}


def argument_spec(role: Path) -> dict[str, Any]:
    """The options of a role's main entry point."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    options: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return options


def variables_table(role: Path) -> str:
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


def benchmarks_table() -> str:
    """Return the Markdown table of the benchmarks, from the docstrings of their files."""
    rows = ["| command | what it measures |", "|---|---|"]
    for file in sorted((ROOT / "tests" / "bench").glob("*.py")):
        docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
        meaning = joined(docstring.partition("\n\n")[0])
        rows.append(f"| `python {file.relative_to(ROOT)}` | {meaning} |")
    return "\n".join(rows)


def guard_tables() -> str:
    """The Markdown tables of what the guard costs, some for each device."""
    parts = []
    for file in GUARD_RESULTS:
        found = json.loads(file.read_text())
        means = found["geometric_means"]
        said = [f"{means[name]:.2f} {text}" for name, text in _GUARD_MEANS.items() if name in means]
        parts.append(
            f"{found['device']}, torch {found['torch']}, `{found['command']}` at commit "
            f"{found['commit']}; the layers' geometric mean of guard / native is {', '.join(said)}."
        )
        kinds = found["layers"], found["models"], found["strips"]
        parts += [_guard_times(rows) for rows in kinds if rows]
        compared = [row for row in (*found["layers"], *found["models"]) if "guard_gpu" in row]
        if compared:
            parts.append(_guard_ratios(compared))
    return "\n\n".join(parts)


def _guard_times(rows: list[dict[str, Any]]) -> str:
    """Return the Markdown table of what was measured of layers, or of models."""
    names = [name for name in _GUARD_COLUMNS if any(row.get(name) for row in rows)]
    lines = _head("layer", *(_GUARD_COLUMNS[name] for name in names), "guard / native")
    for row in rows:
        cells = [f"{row[name] + 0.0:.2f}" if name in row else "" for name in names]
        ratio = f"{row['guard'] / row['native']:.2f}"
        lines.append(f"| {' | '.join([row['layer'], *cells, ratio])} |")
    return "\n".join(lines)


def _guard_ratios(rows: list[dict[str, Any]]) -> str:
    """Return the Markdown table of what the guard takes in comparison, in inference."""
    lines = _head("layer", *_GUARD_RATIOS)
    for row in rows:
        pairs = _GUARD_RATIOS.values()
        cells = [f"{row[over] / row[under]:.2f}" if over in row else "" for over, under in pairs]
        lines.append(f"| {row['layer']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _head(first: str, *names: str) -> list[str]:
    """Return the head of a Markdown table of numbers."""
    return [f"| {' | '.join((first, *names))} |", "|---|" + "---:|" * len(names)]


def guard_models_table() -> str:
    """Return the Markdown table of whole models under the guard and without it."""
    found = json.loads(GUARD_MODELS.read_text())
    said = (
        f"{found['device']}, torch {found['torch']}, side at most {found['side']}, "
        f"`tests/bench/guard_models.py` at commit {found['commit']}; each cell: output, gradients."
    )
    lines = [
        said,
        "",
        f"| model | from pieces | {' | '.join(_MODEL_COLUMNS.values())} | other choices |",
        f"|---|---:|{'---:|' * len(_MODEL_COLUMNS)}---:|",
    ]
    for row in found["models"]:
        cells = [f"{row[key]['output']:.0e}, {row[key]['gradients']:.0e}" for key in _MODEL_COLUMNS]
        choices = row["float32_guard_to_native"]["choices"]
        values = [row["model"], str(row["split"]), *cells, str(choices)]
        lines.append(f"| {' | '.join(values)} |")
    return "\n".join(lines)


def reliability_tables() -> dict[str, str]:
    """Return the tables of the page about what a run may leave."""
    data = yaml.safe_load((ROOT / "docs" / "reliability.yml").read_text())
    results = json.loads(FAULT_RESULTS.read_text())
    tables = {
        "states": states_table(data["states"], results["cases"]),
        "faults": faults_table(data["faults"], results["cases"]),
        "kills": kills_table(results["kills"]),
    }
    return _apart(tables)


def schemas_table() -> str:
    """Return the Markdown table of the published schemas."""
    rows = ["| schema | of |", "|---|---|"]
    for name, (_, description) in SCHEMAS.items():
        rows.append(f"| [{name}](schemas/{name}.schema.json) | {description} |")
    return "\n".join(rows)


def states_table(states: list[dict[str, str]], cases: dict[str, Any]) -> str:
    """The Markdown table of phases, with what preflight said of machines that stopped there."""
    keys = ("phase", "old", "unfinished", "new", "rerun", "rollback")
    rows = [f"| {' | '.join(keys)} | preflight | result |", "|" + "---|" * (len(keys) + 2)]
    for state in states:
        name = f"power-{state['phase'].replace('/', '-')}"
        reported = cases[name]["preflight"] if name in cases else []
        cells = [*(state[key] for key in keys), ", ".join(sorted(reported)) or "nothing more"]
        result = state.get("not_reached") or _result([name], cases)
        rows.append(f"| {' | '.join(cells)} | {result} |")
    return "\n".join(rows)


def faults_table(faults: list[dict[str, Any]], cases: dict[str, Any]) -> str:
    """The Markdown table of all faults, with the result of the cases that bring each."""
    keys = ("id", "what", "introduced", "found_by", "mended")
    rows = ["| | what | introduced by | found by | mended in | again | result |"]
    rows.append("|---|---|---|---|---|---|---|")
    for fault in faults:
        patterns = fault.get("cases", [])
        named = " ".join(f"--case '{pattern}'" for pattern in patterns)
        again = f"./run faults {named}" if named else f"pytest {fault['test']}"
        cells = [str(fault[key]) for key in keys]
        result = _result(patterns, cases) if named else "one of the tests"
        rows.append(f"| {' | '.join(cells)} | `{again}` | {result} |")
    return "\n".join(rows)


def kills_table(runs: list[dict[str, Any]]) -> str:
    """The Markdown table of recorded kills, a row a seed."""
    rows = ["| seed | commit | kills | hit | reruns | rollbacks | by target | illegal |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    for run in runs:
        targets = ", ".join(f"{name} {count}" for name, count in run["targets"].items())
        counts = [run[key] for key in ("seed", "commit", "kills", "hit", "reruns", "rollbacks")]
        rows.append(f"| {' | '.join(map(str, counts))} | {targets} | {run['illegal']} |")
    return "\n".join(rows)


def _result(patterns: list[str], cases: dict[str, Any]) -> str:
    """What the recorded run says of the cases of some patterns."""
    found = {n: r for n, r in cases.items() if any(fnmatchcase(n, p) for p in patterns)}
    illegal = [name for name, result in found.items() if not result["legal"]]
    commits = ", ".join(sorted({result["commit"] for result in found.values()}))
    if not found:
        return "not run"
    if illegal:
        return f"illegal at {commits}: {', '.join(illegal)}"
    return f"legal at {commits} ({len(found)} cases)"


def schema_path(name: str) -> Path:
    """File of a schema."""
    return ROOT / "docs" / "schemas" / f"{name}.schema.json"


def schema(name: str) -> str:
    """The JSON Schema of a report, as it is published."""
    kind, description = SCHEMAS[name]
    made = msgspec.json.schema(kind)
    for part in made["$defs"].values():
        _describe(part)
        # Reports hold every key, those with a default too.
        part["required"] = list(part.get("properties", {}))
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return to_json({"$schema": dialect, "description": description, **made})


def _describe(part: dict[str, Any]) -> None:
    """Give the properties of a structure what its docstring says of them."""
    text, _, attributes = inspect.cleandoc(part.get("description", "")).partition("Attributes:\n")
    part["description"] = joined(text)
    for name, meaning in _ATTRIBUTE.findall(attributes.partition("\nRaises:\n")[0]):
        part["properties"][name]["description"] = joined(meaning)


def _apart(parts: dict[str, str]) -> dict[str, str]:
    """Texts with an empty line before and after each, as Markdown wants it after a mark."""
    return {subject: f"\n{text}\n" for subject, text in parts.items()}


def _shown(default: Any) -> str:
    text = json.dumps(default) if not isinstance(default, str) else default
    # A bar would end the cell, inside backticks as well.
    return f"`{text}`".replace("|", "\\|") if text else "empty"


if __name__ == "__main__":
    for path, content in generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
