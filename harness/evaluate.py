"""python -m harness.evaluate: the same as `scorefirst evaluate`, for a checkout that is not
installed.

Nobody imports this module: `from harness import evaluate` is the function of that name.
"""

import os
import sys

# `-m` puts the working directory first, which may be a submission's: nothing there is a module.
if __name__ == "__main__" and sys.path[0] == os.getcwd() != os.path.dirname(
    os.path.dirname(__file__)
):
    del sys.path[0]

from harness.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m harness.evaluate"))
