"""Every path of this project on a machine: of the whole machine, and below a home.

Python 3.8 and the standard library: what runs on a bare machine reads it as well.
"""

from __future__ import annotations

from typing import NamedTuple


class Layout(NamedTuple):
    """The folders of one scope.

    Attributes:
        environments: the Python environments, and a link for each stack to the one in use.
        settings: variables for scripts and services, the name of the stack, the envelope.
        commands: links to the commands.
        state: records of runs, and reports.
        cache: what can be made again.
    """

    environments: str
    settings: str
    commands: str
    state: str
    cache: str

    @property
    def snapshots(self) -> str:
        """Folder of the records of runs."""
        return f"{self.state}/snapshots"

    @property
    def reports(self) -> str:
        """Folder of the measurements."""
        return f"{self.state}/reports"

    @property
    def backups(self) -> str:
        """Folder for what others had written and a run replaced."""
        return f"{self.state}/backups"

    @property
    def envelope(self) -> str:
        """File with the limit that was measured, or is documented for the stack."""
        return f"{self.settings}/envelope.json"

    @property
    def profile(self) -> str:
        """File with the variables for shells, of a home."""
        return f"{self.settings}/profile.sh"

    @property
    def stack_file(self) -> str:
        """File with the name of the stack."""
        return f"{self.settings}/stack.json"

    def below(self, home: str) -> Layout:
        """Return the layout of a home, of one that is below any."""
        return Layout(*(f"{home}/{folder}" for folder in self))


SYSTEM = Layout(
    environments="/opt/rdna1",
    settings="/etc/rdna1",
    commands="/usr/local/bin",
    state="/var/lib/rdna1",
    cache="/var/cache/rdna1",
)
# Below a home, for one who provisions it without root.
HOME = Layout(
    environments=".local/share/rdna1",
    settings=".config/rdna1",
    commands=".local/bin",
    state=".local/state/rdna1",
    cache=".cache/rdna1",
)
COMMANDS = ("rdna1-preflight", "rdna1-validate", "rdna1-audit")
# What the name of each begins with.
COMMAND_START = "rdna1-"
# Scripts of stacks for login shells; a home has its own among the settings.
PROFILE_START = "/etc/profile.d/rocm-rdna1-"
PROFILES = f"{PROFILE_START}*.sh"
# What systemd and the desktops read for a user's session, before any shell (environment.d(5)).
HOME_SESSION_FOLDER = ".config/environment.d"
HOME_SESSION_START = f"{HOME_SESSION_FOLDER}/rdna1-"
# For a driver that the kernel does not load by itself.
MODULES_FOLDER = "/etc/modules-load.d"
MODULES_FILE = f"{MODULES_FOLDER}/rdna1-amdgpu.conf"


def of_scope(scope: str, home: str) -> Layout:
    """Return where things are.

    Args:
        scope: ``system``, or ``user`` for one home.
        home: of that user.
    """
    return SYSTEM if scope == "system" else HOME.below(home)
