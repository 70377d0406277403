"""python -m harness.evaluate: the same as `scorefirst evaluate`, for a checkout that is not
installed.

Nobody imports this module: `from harness import evaluate` is the function of that name.
"""

import sys

from harness.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m harness.evaluate"))
