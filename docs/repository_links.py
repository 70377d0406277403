"""A hook of mkdocs: a link out of `docs/` leads to a page of the site that shows that file.

In the repository a page links to code and folders by their paths, which is what GitHub follows. The
site holds copies of what is linked, and of what those pages link to in turn:

    ../harness/program.py             repository/harness/program.py.md, its text as code
    ../submissions/template/program   repository/submissions/template/program/README.md, a page

Guarantees: a link to what is not there, or to a folder without README.md, stays as it is, and so
fails a strict build. Does not cover: links into the web.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS, COPIES = "docs/", "repository/"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
NESTED = re.compile(r"^( +)(?=\* )", re.MULTILINE)
FENCE = "~" * 12
LANGUAGES = {".py": "python", ".json": "json", ".toml": "toml", ".yml": "yaml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for every file of the repository that a page links to."""
    pages = files.documentation_pages()
    waiting = [(_path_of(page.src_uri), page.content_string) for page in pages]
    while waiting:
        page, text = waiting.pop()
        for link in LINK.findall(text):
            path = _target(page, link)
            if path is None or path.startswith(DOCS) or files.get_file_from_path(_uri_of(path)):
                continue
            copy = File.generated(config, _uri_of(path), content=_shown(path))
            files.append(copy)
            waiting.append((path, copy.content_string if path.endswith(".md") else ""))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to the copies; lists and folds look as they do in the repository."""
    here = page.file.src_uri
    if here.startswith(COPIES) and not _path_of(here).endswith(".md"):
        return markdown  # code

    def led(link: re.Match[str]) -> str:
        path = _target(_path_of(here), link[1])
        return posixpath.relpath(_uri_of(path), posixpath.dirname(here)) if path else link[1]

    # GitHub nests lists at two blanks and reads Markdown in folds; here both have to be asked for.
    as_here = NESTED.sub(r"\1\1", markdown).replace("<details>", "<details markdown>")
    return LINK.sub(led, as_here)


def _target(page: str, link: str) -> str | None:
    """The file that a link of a page leads to, both by their paths in the repository."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    if (ROOT / path).is_dir():
        path += "/README.md"
    return path if not path.startswith("..") and (ROOT / path).is_file() else None


def _uri_of(path: str) -> str:
    """Of the page that shows a file of the repository."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return COPIES + path + ("" if path.endswith(".md") else ".md")


def _path_of(uri: str) -> str:
    """Of the file that a page of the site shows."""
    if not uri.startswith(COPIES):
        return DOCS + uri
    path = uri.removeprefix(COPIES)
    return path if (ROOT / path).is_file() else path.removesuffix(".md")


def _shown(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    language = LANGUAGES.get(Path(path).suffix, "text")
    return f"# {path}\n\n{FENCE} {language}\n{text.rstrip()}\n{FENCE}\n"
