"""What contestants import by the name that they installed: `scorefirst.testing`.

An evaluation is asked for with `from harness import evaluate`; nothing of ours imports this.
"""
