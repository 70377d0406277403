"""python -m harness.evaluate: the same as `scorefirst evaluate`, for a checkout that is not
installed.

Nobody imports this module: `from harness import evaluate` is the function of that name.
"""

from harness.commands.evaluate import main
from harness.commands.signals import leave

if __name__ == "__main__":
    leave(main(prog="python -m harness.evaluate"))
