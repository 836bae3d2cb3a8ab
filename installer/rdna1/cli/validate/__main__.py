"""``python -m rdna1.cli.validate`` is ``rdna1-validate``."""

import sys

from rdna1.cli.validate import main

if __name__ == "__main__":
    sys.exit(main())
