"""What a machine is, as plain data.

`collect` reads files of the running machine, or of a tree under another root: a mounted
disk or a fixture. It changes nothing, starts no process and uses no network.

This sub-package travels to bare targets inside an Ansible module: standard library only,
Python 3.8 and later, relative imports only.
"""

from __future__ import annotations

from .facts import SCHEMA_VERSION, collect

__all__ = ["SCHEMA_VERSION", "collect"]
