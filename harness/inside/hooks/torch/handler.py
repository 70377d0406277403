"""What looks at a call of a torch function after it was made."""

from collections.abc import Callable
from typing import Any

# Name, function, arguments, named arguments, what came out. Returns nothing, but for numbers that
# are read out: those come back with their places.
Handler = Callable[[str, Any, tuple[Any, ...], dict[str, Any], Any], Any]
