from __future__ import annotations

import contextlib
import sys
import warnings

import pytest

# torch without NumPy says so when it is first imported, and here warnings are errors.
with warnings.catch_warnings(), contextlib.suppress(ImportError):
    warnings.simplefilter("ignore")
    import torch  # noqa: F401 - for the tests that need it


@pytest.fixture(autouse=True)
def intern_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back Ansible's patch of ``sys.intern``, with which torch._dynamo cannot be imported.

    Other tests of the process import Ansible, which patches it for good.
    """
    unpatched = getattr(sys.intern, "unpatched_implementation", None)
    if unpatched is not None:
        monkeypatch.setattr(sys, "intern", unpatched)
