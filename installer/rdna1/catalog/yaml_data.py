"""Load a YAML data file into a typed structure and say where a mistake is."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import yaml

from rdna1.errors import InputError

# Texts of data files.
Text = Annotated[str, msgspec.Meta(min_length=1)]
ReleaseVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)*$")]
VariableName = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z0-9_]*$")]

# The files of this room, one loader each.
DATA = Path(__file__).with_name("data")

T = TypeVar("T")

# libyaml reads ten times as fast; not every build of PyYAML has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PATH_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<key>[^`]+)`")


class DataFileError(InputError):
    """A data file that cannot be used; the message names file, line, key and cause."""


def load(path: Path, kind: type[T]) -> T:
    """Read ``path`` and convert it to ``kind``.

    Args:
        path: a YAML file with one document.
        kind: a ``msgspec.Struct`` that forbids unknown fields.

    Returns:
        The structure.

    Raises:
        DataFileError: unreadable file, wrong YAML, or a value that does not fit ``kind``.
    """
    try:
        node, data = _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path}: not UTF-8 at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DataFileError(f"{path}:{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise DataFileError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        cause, key = _split(str(error))
        raise DataFileError(
            f"{path}:{_line_of(node, key)}: {key or 'top level'}: {cause}"
        ) from error


# A stack is asked for by many who do not know of each other; nobody writes into what is returned.
@functools.lru_cache(maxsize=32)
def _parse(text: str) -> tuple[yaml.Node | None, object]:
    """Return the document as nodes, which know their lines, and as plain data."""
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _split(message: str) -> tuple[str, str]:
    """Split msgspec's ``cause - at `$.a[0].b``` into the cause and ``.a[0].b``."""
    cause, _, place = message.partition(" - at `$")
    key = place.rstrip("`").split("[...]")[0]
    unknown = _UNKNOWN_FIELD.search(cause)
    if unknown:
        key += "." + unknown["key"]
    return cause, key.lstrip(".")


def _line_of(node: yaml.Node | None, key: str) -> int:
    """Return line (from 1) of the node that ``key`` leads to, or of its nearest parent."""
    line = node.start_mark.line if node else 0
    for name, index in _PATH_STEP.findall(key):
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == name), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and index:
            node = node.value[int(index)]
            line = node.start_mark.line
    return line + 1
