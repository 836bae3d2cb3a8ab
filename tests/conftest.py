"""What all tests need of their process."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# A shell starts background jobs with Ctrl-C ignored, and everything below them would inherit that:
# the programs that the tests interrupt, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests read all of Ansible's output, and not what rdna1_progress leaves of it for users.
os.environ["ANSIBLE_STDOUT_CALLBACK"] = "default"

# Tests run one to a core: torch's threads for each core would wait for those of the other tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test depends on how busy the machine is.
settings.register_profile("rdna1", deadline=None)
settings.load_profile("rdna1")
