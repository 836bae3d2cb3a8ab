"""Addresses without names and passwords."""

from __future__ import annotations

import pytest

from rdna1.target.credentials import text_without_credentials, without_credentials

ADDRESSES = [
    ("http://u:p@host/debian", "http://host/debian"),
    ("http://u:p@ss@host/debian", "http://host/debian"),
    ("http://u@x.example:p@s@s@host:3128/", "http://host:3128/"),
    ("HTTP://u:p@ss@host?x#y", "HTTP://host?x#y"),
    ("http://u:pa/ss@host/debian", "http://host/debian"),
    ("http://u:pa?s#s@host/", "http://host/"),
    ("http://token@host/", "http://host/"),
    ("http://:p@host/", "http://host/"),
    ("http://u:p%40ss@[2001:db8::1]:3128/", "http://[2001:db8::1]:3128/"),
    ("http://u:p w@host/", "http://host/"),
    (" http://u:p@host/", " http://host/"),
    ("http:/u:p@host/", "http:/host/"),
    ("http:u:p@host", "http:host"),
    ("tor+https://u:p@ss@host/", "tor+https://host/"),
    ("mirror://u:p@ss@host/list", "mirror://host/list"),
    ("socks5h://u:p@ss@host:9050", "socks5h://host:9050"),
    ("//u:p@ss@host/debian", "//host/debian"),
    ("u:p@proxy", "proxy"),
    ("u:p@ss@proxy:3128", "proxy:3128"),
    ("u:p@ss@proxy:3128/", "proxy:3128/"),
    ("u:pa/ss@proxy:3128/", "proxy:3128/"),
    ("u@proxy", "proxy"),
]
WITHOUT = [
    "http://host/debian",
    "http://host:3128/a@b/",
    "http://[2001:db8::1]/a@b",
    "http://[2001:db8::1]:80/a@b",
    "https://host/@scope/x?mail=a@b",
    "//host/a@b",
    "proxy",
    "proxy:3128",
    "DIRECT",
    "",
    "cdrom:[Debian 12: a@b _X_]/",
    "file:/srv/a:b@c/debian",
    "file:///srv/a:b@c/debian",
    "copy:/srv/a@b",
    "mirror+file:/etc/apt/a@b.txt",
    "/usr/bin/proxy-of --at=a:b@c",
]


@pytest.mark.parametrize(("address", "shown"), ADDRESSES)
def test_neither_user_nor_password_is_left(address: str, shown: str) -> None:
    assert without_credentials(address) == shown


@pytest.mark.parametrize("address", WITHOUT)
def test_other_addresses_stay(address: str) -> None:
    assert without_credentials(address) == address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("E: Failed to fetch http://u:p@ss@host/x  401", "E: Failed to fetch http://host/x  401"),
        ("for url (https://u:p@ss@host/simple/)\nnext", "for url (https://host/simple/)\nnext"),
        ("one 'http://u:p@a/','https://v:q@b'", "one 'http://a/','https://b'"),
        ("https_proxy=http://u:p@ss@host:1", "https_proxy=http://host:1"),
        ("proxy u:p@ss@proxy:3128 is odd", "proxy proxy:3128 is odd"),
        ("index='u:p@ss@host/simple'", "index='host/simple'"),
        ("500 http://host:80/a bookworm/x@y", "500 http://host:80/a bookworm/x@y"),
        ("at /srv/a:b@c, torch @ file:///x@y: no", "at /srv/a:b@c, torch @ file:///x@y: no"),
        ("user@host and a:b", "user@host and a:b"),
    ],
)
def test_in_what_programs_say(text: str, shown: str) -> None:
    assert text_without_credentials(text) == shown


def test_a_long_word_takes_no_time_to_speak_of() -> None:
    word = "a:" * 200_000 + "://" * 1000
    assert len(text_without_credentials(word)) <= len(word)
