"""The winner as variables of the environment role, for a file below host_vars or group_vars."""

from __future__ import annotations

from pathlib import Path

import yaml

from rdna1.errors import InputError
from rdna1.measure.tune.candidate import Candidate

_NAMES = ("environment_miopen_profile", "environment_variables")


class VariablesFileError(InputError):
    """A file that must not be replaced, as it holds more than this writes."""


def role_variables(candidate: Candidate, heading: str) -> str:
    """Return content of the variables file.

    Args:
        candidate: one that variables alone make.
        heading: first line, as a comment.
    """
    values = dict(zip(_NAMES, (candidate.miopen_profile, candidate.variables), strict=True))
    return f"---\n# {heading}\n" + yaml.safe_dump(values, default_flow_style=False, sort_keys=True)


def earlier_content(file: Path) -> bytes | None:
    """Return what the file holds now, None if it does not exist.

    Raises:
        VariablesFileError: it cannot be read, or it holds variables of somebody's own.
    """
    try:
        content = file.read_bytes()
        found = yaml.safe_load(content) or {}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VariablesFileError(f"--write {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise VariablesFileError(
            f"--write {file}: not YAML, and not to be replaced; name a file of its own"
        ) from error
    others = sorted(map(str, set(found) - set(_NAMES))) if isinstance(found, dict) else ["a list"]
    if others:
        raise VariablesFileError(
            f"--write {file}: it holds other things ({', '.join(others)}); name a file of its own, "
            "such as host_vars/HOST/environment.yml"
        )
    return content
