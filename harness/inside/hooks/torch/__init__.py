"""The torch side of the watch: calls, modules, compiled callables, gradients and steps."""
