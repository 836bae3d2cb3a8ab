"""What check mode said on the untouched box."""

from __future__ import annotations

from support.scenario import log_of_plays, served_addresses


def test_source_pin_and_key_are_shown() -> None:
    said = log_of_plays()
    assert f"+URIs: {served_addresses()['archives']}/rocm/apt/5.7.1" in said
    assert "+Suites: jammy" in said
    assert "+Pin-Priority: 600" in said
    assert f"+key {served_addresses()['fingerprint']}" in said
