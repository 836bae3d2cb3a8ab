"""Rules about the login session."""

from __future__ import annotations

from rdna1.preflight.checks.gpu import needed_groups
from rdna1.preflight.model import Case, CheckOutcome, check


@check(
    "session-groups",
    "Groups of the running session",
    references=("credentials(7)", "ROCm/ROCm docs/deploy/linux/prerequisites.md at docs/5.7.1"),
)
def session_groups(case: Case) -> CheckOutcome:
    """A new group counts from the next login on; until then the card stays out of reach.

    /etc/group names the user, but processes keep the groups that they got at login. Desktop
    sessions, tmux and ssh connections that are shared live longer than one thinks.
    """
    facts = case.facts
    session = facts.known(lambda f: f.session)
    user = next(
        (u for u in facts.known(lambda f: f.users) if u.name == session.user != "root"), None
    )
    if user is None:
        return CheckOutcome(
            "skip", f"the session is that of {session.user}, who was not asked about"
        )
    lacking = needed_groups(facts) - set(session.groups)
    late = sorted(lacking & set(user.groups))
    if late:
        return CheckOutcome(
            "warn",
            f"{user.name} did not log in again since joining {', '.join(late)}",
            [f"groups of the session: {', '.join(sorted(session.groups))}"],
            "Log out of every session and in again; a reboot is certain.",
        )
    if lacking:
        return CheckOutcome(
            "skip", f"{user.name} is not in {', '.join(sorted(lacking))}: see groups"
        )
    return CheckOutcome("pass", f"the session of {user.name} has the groups that the card needs")
