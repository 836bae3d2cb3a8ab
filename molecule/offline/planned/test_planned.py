"""What check mode said on the untouched box."""

from __future__ import annotations

from typing import Any

from support.scenario import log_of_plays


def test_the_mirror_was_not_copied(host: Any) -> None:
    assert not host.file("/var/cache/rdna1").exists


def test_where_it_would_be_copied_to_is_shown() -> None:
    assert "/var/cache/rdna1/mirror-" in log_of_plays()
