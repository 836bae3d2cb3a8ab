"""A machine that site.yml provisioned, with what its owner had there before."""

from __future__ import annotations

from typing import NamedTuple

from support.box_state import State
from support.boxes import Box

PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
ENVELOPE = "/etc/rdna1/envelope.json"
SNAPSHOTS = "/var/lib/rdna1/snapshots"
USERS = '--extra-vars={"rdna1_users": ["ada"]}'
VALIDATE = "playbooks/validate.yml"
THINGS_OF_THE_OWNER = f"""
echo MINE=1 > {PROFILE}
echo OTHER=1 > /etc/profile.d/rocm-rdna1-52.sh
mkdir -p /opt/rdna1 /etc/rdna1
echo mine > /opt/rdna1/mine
echo mine > /etc/rdna1/mine.conf
printf '# mine\\r\\nexport MIOPEN_FIND_ENFORCE=3\\n' > /home/ada/.bashrc
chown ada: /home/ada/.bashrc
chmod 604 /home/ada/.bashrc
su ada -c 'mkdir -p ~/.config/miopen; echo old > ~/.config/miopen/db'
"""


class Provisioned(NamedTuple):
    """A machine after site.yml.

    Attributes:
        box: the machine.
        before: its state before the first play.
        checked: its state after check mode, which was the first play.
        printed: what the run printed.
    """

    box: Box
    before: State
    checked: State
    printed: str
