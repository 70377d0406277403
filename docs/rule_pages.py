"""A hook of mkdocs: a page of its own for every rule, and a list of them.

    rules/ORDER-2.md    what it says, what breaks it, what looks like it, how it is checked, sources
    rules/index.md      all of them, by family

Guarantees: made of the catalogue and the rules' own files, as `scorefirst rules` is; nothing is
written into the repository. Does not cover: what a run looks at; docs/design.md says that.
"""

from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from audits.catalogue import RULES, Rule
from audits.output.rule_text import markdown_of

FOLDER = "rules/"
SEVERITIES = {
    "fail": "makes a VIOLATION",
    "warn": "makes a REVIEW",
    "info": "is told, and decides nothing",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds them before anything is rendered."""
    files.append(File.generated(config, f"{FOLDER}index.md", content=index()))
    for rule in RULES.values():
        files.append(File.generated(config, f"{FOLDER}{rule.id}.md", content=page_of(rule)))
    return files


def page_of(rule: Rule) -> str:
    """One rule."""
    meant = ", ".join(f"{SEVERITIES[rule.severity[p]]} under `{p}`" for p in rule.severity)
    parts = [
        f"# {rule.id} {rule.title}",
        f"**What a submission does that breaks it.** {rule.broken} Where that is sure, it {meant}.",
        markdown_of(rule),
        f"[All rules](index.md) · on a terminal: `scorefirst rules {rule.id}`",
    ]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list."""
    return "# A page for each rule\n\n" + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    family = ""
    for rule in RULES.values():
        if (own := rule.id.partition("-")[0]) != family:
            family = own
            yield f"\n## {family}\n"
        yield f"* [{rule.id}]({rule.id}.md) {rule.title}"
