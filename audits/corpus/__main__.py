"""The command `python -m audits.corpus REPO --out DIR`: scans every submission of a repository.

Guarantees: exit code 0 when everything was read, whatever was found in it; 2 when the scanner
failed on something, or was used wrongly; 3 when no ref brings a submission. Started again, it goes
on where it was.
Does not cover: judging pull requests by what people wrote; only files are read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from audits.catalogue import PROFILES
from audits.corpus import page
from audits.corpus.patterns import matches, patterns_in
from audits.corpus.pool import run_jobs
from audits.corpus.repository import Repository, RepositoryError
from audits.corpus.store import Store
from audits.corpus.submissions import Finder, Submission
from audits.corpus.summary import as_table, summarise
from audits.corpus.worker import Job, Settings, serve
from audits.folder import UsageError
from audits.output.conclusion import MISUSE, NOTHING, OK
from audits.output.escape import visible, write_escapes
from audits.scan import selected

PROG = "python -m audits.corpus"  # scorefirst calls it by another name
_EXAMPLES = """\
examples:
  git clone --bare https://github.com/openai/parameter-golf pg.git
  git -C pg.git fetch origin '+refs/pull/*/head:refs/pull/*/head'
  {prog} pg.git --out scanned
  {prog} pg.git --refs 'refs/pull/5*/head' --refs main --out scanned

DIR then holds index.html (sort and filter) and results.jsonl: first a line that says what made it,
then one for each submission; of two lines with the same ref, head and folder the later one counts.

exit codes: 0 everything was read, whatever was found in it, 2 the scanner failed on something, or
was used wrongly, 3 no ref brings a submission
"""


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    options = _parser(prog).parse_args(argv)
    write_escapes(sys.stdout)
    try:
        return _run(options, prog)
    except (RepositoryError, UsageError) as error:
        print(f"{prog}: {visible(str(error))}", file=sys.stderr)
        return MISUSE


def _run(options: argparse.Namespace, prog: str) -> int:
    repository = Repository(options.repo.resolve())
    rules = tuple(selected(options.select, options.ignore))
    submissions = list(_submissions(repository, options))
    if not submissions:
        print(f"{prog}: no ref brings a submission", file=sys.stderr)
        return NOTHING
    store = Store(options.out, options.profile, rules)
    try:
        _scan(
            submissions,
            store,
            Settings(repository.path, options.profile, rules, options.limit),
            options,
        )
        records = [store.records[one.identity] for one in submissions]
    finally:
        store.close()
    summary = summarise(records)
    (options.out / "index.html").write_text(
        page.render(records, summary, options.profile), encoding="utf-8"
    )
    print(as_table(summary))
    print(f"\n{options.out / 'index.html'}")
    failed = [record for record in records if record["status"] in ("error", "timeout")]
    for record in failed:
        print(f"\n{record['ref']} {record['folder']}\n{record['note']}", file=sys.stderr)
    return MISUSE if failed else OK


def _submissions(repository: Repository, options: argparse.Namespace) -> Iterator[Submission]:
    base = repository.commit(options.base)
    if base is None:
        raise RepositoryError(f"{options.base}: no such branch in {repository.path}; see --base")
    finder = Finder(repository, base)
    skipped = patterns_in(options.skip_refs)
    refs = repository.refs(options.refs or ["refs/pull/*/head"])
    kept = [ref for ref in refs if not matches(ref, skipped)]
    for ref in tqdm(kept, desc="refs", unit="ref", mininterval=_interval()):
        yield from finder.find(ref)


def _scan(
    submissions: Sequence[Submission], store: Store, settings: Settings, options: argparse.Namespace
) -> None:
    """Brings the store up to date: every submission has its line afterwards."""
    waiting: dict[str, list[Submission]] = {}
    for one in submissions:
        if one.identity in store.records:
            continue
        if (known := store.result_of(one.key)) is not None:
            store.add(one, known)
        else:
            waiting.setdefault(one.key, []).append(one)
    jobs = [Job(key, sharers[0].blobs) for key, sharers in waiting.items()]
    if not jobs:
        return
    answers = run_jobs(
        jobs, serve, settings, processes=min(options.jobs, len(jobs)), limit_s=options.limit
    )
    for job, result in tqdm(answers, total=len(jobs), desc="contents", mininterval=_interval()):
        for one in waiting[job.key]:
            store.add(one, result)


def _interval() -> float:
    """Seconds between two updates: often for a person, seldom for a log."""
    return 0.5 if sys.stderr.isatty() else 30.0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Scans every submission that the refs of a git repository bring. Nothing is "
        "checked out, fetched or run.",
        epilog=_EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("repo", type=Path, metavar="REPO", help="a clone, bare or not")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results go here")
    parser.add_argument(
        "--refs", action="append", metavar="PATTERN", help="default refs/pull/*/head; repeatable"
    )
    parser.add_argument(
        "--skip-refs", type=Path, metavar="FILE", help="patterns of refs to leave out, one a line"
    )
    parser.add_argument(
        "--base", default="main", metavar="BRANCH", help="what pull requests start from"
    )
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument(
        "--limit", type=float, default=60.0, metavar="SECONDS", help="per submission; default 60"
    )
    parser.add_argument("--profile", choices=PROFILES, default="strict")
    parser.add_argument("--select", default="", metavar="RULES", help="only these, comma separated")
    parser.add_argument("--ignore", default="", metavar="RULES", help="all but these")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number of processes, at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
