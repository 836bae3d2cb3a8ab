"""From where a first lock may be made."""

from __future__ import annotations

import pytest

from rdna1.wheels import LockError, refuse_insecure


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://download.pytorch.org/whl/rocm5.7",
        "https://user:secret@index.example/",
        "file:///srv/index",
        "http://127.0.0.1:8080/",
        "http://127.1.2.3/",
        "http://localhost:8080/",
        "http://[::1]:8080/",
    ],
)
def test_addresses_that_nobody_else_answers_for(url: str) -> None:
    refuse_insecure(url, http=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://index.example/",
        "http://127.0.0.1@index.example/",
        "http://127.0.0.1.example/",
        "http://localhost.example/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "HTTP://index.example/",
        "http://u:secret@index.example/",
    ],
)
def test_an_http_address_takes_the_owners_word(url: str) -> None:
    with pytest.raises(LockError, match=r"not at an https address.*Remedy.*allow_http") as caught:
        refuse_insecure(url, http=False)
    assert "secret" not in str(caught.value)
    refuse_insecure(url, http=True)


@pytest.mark.parametrize(
    "url", ["ftp://index.example/", "index.example", "file://host/x", "https:///x", "http://[x/"]
)
def test_other_addresses_are_refused_whatever_the_owner_says(url: str) -> None:
    with pytest.raises(LockError, match="not at an https address"):
        refuse_insecure(url, http=True)
