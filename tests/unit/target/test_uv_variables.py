"""What of a caller's variables a uv of ours is started with."""

from __future__ import annotations

import pytest

from rdna1.target.venvs.uv_variables import uv_variables


@pytest.fixture(autouse=True)
def _of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_NO_CACHE", "UV_HTTP_TIMEOUT", "UV_INDEX_URL", "UV_CONSTRAINT"):
        monkeypatch.setenv(name, "of-the-caller")


def ours(**own: str) -> set[str]:
    return {name for name in uv_variables(**own) if name.startswith("UV_")}


def test_nothing_that_would_steer_uv_is_kept() -> None:
    assert ours() == {"UV_NO_CACHE", "UV_HTTP_TIMEOUT"}


def test_a_build_has_a_cache_of_its_own_where_the_caller_has_none() -> None:
    assert ours(UV_CACHE_DIR="/opt/rdna1/cache") == {"UV_CACHE_DIR", "UV_HTTP_TIMEOUT"}
