"""What a person types: `scorefirst` and `python -m harness.evaluate`.

Guarantees: an answer about the command itself (`--help`, `--version`, a refused option) comes
without torch being loaded; what only a submission needs is imported behind the parser.
"""
