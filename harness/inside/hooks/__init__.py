"""What the hooks inside the script's process write down, and how a printed number is rebuilt."""

from harness.inside.hooks.watching import watching

__all__ = ["watching"]
