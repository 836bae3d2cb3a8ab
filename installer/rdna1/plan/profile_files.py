"""Files of settings for shells and services, made from the templates of the role environment.

By Jinja itself: the plan knows the text without Ansible, and tests run it in real shells.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import jinja2


def settings_file(template: Path, values: Mapping[str, object]) -> str:
    """Text of a file.

    Args:
        template: with the filters of Jinja, ``quote`` for a shell and ``regex_replace``; it may
            include others of its folder.
        values: its variables.

    Raises:
        jinja2.TemplateError: there is no such template, or it needs a variable that is missing.
    """
    environment = jinja2.Environment(  # noqa: S701 (a shell script, not HTML)
        loader=jinja2.FileSystemLoader(template.parent),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["quote"] = shlex.quote
    environment.filters["regex_replace"] = lambda text, old, new: re.sub(old, new, text)
    return environment.get_template(template.name).render(values)
