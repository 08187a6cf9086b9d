"""`python -m groupshot`: the same command where no script is on the path."""

import sys

from groupshot.cli import main

if __name__ == "__main__":
    sys.exit(main())
