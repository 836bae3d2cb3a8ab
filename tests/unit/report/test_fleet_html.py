from __future__ import annotations

import re
from datetime import datetime, timezone
from itertools import pairwise

import pytest

from rdna1.preflight import Finding, Report
from rdna1.report.fleet import Assessed, HostResult, NotAssessed, fleet_report
from rdna1.report.fleet_page import fleet_html
from support.html_page import HtmlPage

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
STATUSES = ("fail", "warn", "ignored", "skip", "pass")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><style>*{display:none}",
    "{{ 7 * 7 }}",
    "&lt;b&gt;",
)


def finding(status: str, text: str = "", references: tuple[str, ...] = ()) -> Finding:
    words = [f"{name} of {status} {text}" for name in ("title", "summary", "line 1", "line 2")]
    title, summary, *evidence = words
    return Finding(
        f"id-{status}{text}",
        title,
        status,  # type: ignore[arg-type]
        summary,
        evidence,
        f"remedy of {status} {text}",
        list(references),
    )


def page(*findings: Finding, host: str = "one") -> HtmlPage:
    results: dict[str, HostResult] = {
        host: Assessed(
            Report(stack="rocm-5.7", verdict="refuse", checks=list(findings)), ["id-fail"]
        ),
        "gone": NotAssessed(reachable=False, reason=f"no route to {host}"),
    }
    return HtmlPage(fleet_html(fleet_report(results, judged_at=NOON)))


def test_every_finding_is_on_the_page_with_evidence_and_remedy() -> None:
    text = page(*map(finding, STATUSES)).text
    for status in STATUSES:
        for words in ("title", "summary", "line 1", "line 2", "remedy"):
            assert f"{words} of {status}" in text


def test_hosts_come_first_then_findings_worst_first() -> None:
    text = page(*map(finding, reversed(STATUSES))).text
    headings = ["Hosts", "Failures (1)", "Warnings (1)", "Ignored on request (1)"]
    places = [text.index(words) for words in [*headings, "Skipped (1)", "Passed (1)"]]
    assert places == sorted(places)
    assert "Assessed 2026-11-23 12:00 UTC" in text
    assert "one rocm-5.7 REFUSE rocm-5.7 id-fail , id-warn (warn) , id-ignored (ignored)" in text
    assert "gone UNREACHABLE - no route to one" in text


def test_a_warning_that_refuses_a_strict_host_says_so() -> None:
    report = Report(stack="rocm-5.7", verdict="warn", checks=[finding("warn")])
    fleet = fleet_report({"wary": Assessed(report, ["id-warn"])}, judged_at=NOON)
    text = HtmlPage(fleet_html(fleet)).text
    assert "wary rocm-5.7 REFUSE rocm-5.7 id-warn (warn, refused all the same: strict)" in text


def test_links_lead_to_findings_and_to_what_a_browser_may_open() -> None:
    references = ("a/b#1", "https://x.example/?a=1&b=2", "pciids", "javascript:alert(1)", "a/b#x")
    parsed = page(finding("fail", references=references), finding("warn"))
    inside = {link[1:] for link in parsed.values("href") if link.startswith("#")}
    assert inside == {"finding-1", "finding-2"}
    assert inside <= set(parsed.values("id"))
    outside = [link for link in parsed.values("href") if not link.startswith("#")]
    assert outside == ["https://github.com/a/b/issues/1", "https://x.example/?a=1&b=2"]
    assert all(reference in parsed.text for reference in references)


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_cannot_become_markup(text: str) -> None:
    harmless, hostile = (
        page(*(finding(status, words, (words,)) for status in STATUSES), host=words)
        for words in ("QQQ", text)
    )
    assert hostile.tags == harmless.tags
    assert [name for name, _ in hostile.attributes] == [name for name, _ in harmless.attributes]
    assert hostile.text.count(text) == harmless.text.count("QQQ")


def test_control_characters_are_shown_escaped() -> None:
    source = fleet_html(
        fleet_report(
            {"a\x00b": NotAssessed(reachable=True, reason="\x1b[2J\u202e\udc80")}, judged_at=NOON
        )
    )
    assert "a\\x00b" in source
    assert "\\x1b[2J\\u202e\\udc80" in source
    assert source.encode().decode() == source


def test_the_page_needs_nothing_but_itself() -> None:
    parsed = page(*map(finding, STATUSES))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(parsed.tags)
    assert not {"src", "srcset", "style", "onload"} & {name for name, _ in parsed.attributes}
    assert "default-src 'none'; style-src 'unsafe-inline'" in parsed.values("content")
    source = fleet_html(fleet_report({}, judged_at=NOON))
    assert "url(" not in source
    assert "@import" not in source


def test_tables_have_captions_and_headings_do_not_skip_a_level() -> None:
    parsed = page(*map(finding, STATUSES))
    assert parsed.tags.count("table") == parsed.tags.count("caption") == 3
    levels = [int(tag[1]) for tag in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(lower - upper <= 1 for upper, lower in pairwise(levels))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_have_the_contrast_that_wcag_asks_for(theme: int) -> None:
    source = fleet_html(fleet_report({}, judged_at=NOON))
    block = re.findall(r":root \{(.*?)\}", source, re.DOTALL)[theme]
    colours = dict(re.findall(r"--(\w+): (#\w{6})", block))
    pairs = [(text, back) for text in ("text", "soft", "link") for back in ("back", "card")]
    pairs += [("badge", back) for back in ("fail", "warn", "ignored", "skip", "pass")]
    for one, other in pairs:
        dark, light = sorted(luminance(colours[name]) for name in (one, other))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (one, other)
