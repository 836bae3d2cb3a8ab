"""What all tests need of their process."""

from __future__ import annotations

import signal

# A shell starts background jobs with Ctrl-C ignored, and everything below them would inherit that:
# the programs that the tests interrupt, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
