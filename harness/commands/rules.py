"""scorefirst rules: every rule in a line, or one rule with its sources and cases."""

import argparse
import sys
from collections.abc import Sequence

from audits.catalogue import PROFILES, RULES
from audits.output.rule_text import explanation, rule_list

EPILOG = """\
examples:
  scorefirst rules
  scorefirst rules ORDER-2
"""


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst rules") -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The rules that are judged: identity, severity, standing, whether reading"
        " code can find a violation, title. With RULE: its statement, sources, legal look-alikes"
        " and cases.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rule", nargs="?", metavar="RULE", help="explain this one")
    parser.add_argument("--profile", choices=PROFILES, default="strict", help="of the severities")
    options = parser.parse_args(argv)
    if options.rule is None:
        sys.stdout.write(rule_list(options.profile))
        return 0
    rule = RULES.get(options.rule.strip().upper())
    if rule is None:
        parser.error(f"{options.rule}: no such rule; `{prog}` lists all of them")
    sys.stdout.write(explanation(rule))
    return 0
