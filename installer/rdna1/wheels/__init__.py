"""Lock files: the wheels of a stack with their hashes, next to the inventory they are for."""

from rdna1.wheels.address import refuse_insecure
from rdna1.wheels.choice import ChoiceError, Python, choose_gfx_target, choose_python
from rdna1.wheels.form import LockedPackage, LockError, locked
from rdna1.wheels.lock import LockedFile, Wanted, locked_files, make_lock, read_lock, write_lock

__all__ = [
    "ChoiceError",
    "LockError",
    "LockedFile",
    "LockedPackage",
    "Python",
    "Wanted",
    "choose_gfx_target",
    "choose_python",
    "locked",
    "locked_files",
    "make_lock",
    "read_lock",
    "refuse_insecure",
    "write_lock",
]
