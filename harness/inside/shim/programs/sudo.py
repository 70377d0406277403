"""`sudo` that runs the command as who one is already."""

import os
import sys


def main(arguments: list[str]) -> None:
    """Becomes the command; options of its own are dropped."""
    while arguments and arguments[0].startswith("-"):
        arguments.pop(0)
    if arguments:
        os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
