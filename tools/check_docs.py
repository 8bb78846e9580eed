"""Build the site of the documentation, and check what its builder does not.

Every page is in the navigation, pages load nothing from other sites, and links to files of this repository
lead to a file and a heading that exist.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS, SITE = ROOT / "docs", ROOT / "site"
# Where the site is published, and the files of this repository.
ADDRESS = "https://simil-cli.github.io/simil/"
REPOSITORY = "https://github.com/simil-cli/simil/blob/main/"
# What a browser loads without being asked to.
_LOADED = re.compile(r"""<(?:link|script|img|iframe|source)\b[^>]*?\b(?:href|src)="((?:https?:)?//[^"]+)""")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def main() -> None:
    build = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    built = subprocess.run(
        build, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if built.returncode:
        raise SystemExit(_COLOUR.sub("", built.stdout).partition("Traceback")[0])
    faults = [*_missing_in_navigation(), *_broken_links(), *_loaded_from_elsewhere(), *_escaped_bars()]
    if faults:
        raise SystemExit("\n".join(faults))
    print(f"docs: {len(list(DOCS.rglob('*.md')))} pages, all links lead somewhere")


def _missing_in_navigation() -> Iterator[str]:
    listed = re.findall(r"^ +- .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    for page in sorted(pages.symmetric_difference(listed)):
        yield f"mkdocs.yml: nav lacks {page}" if page in pages else f"mkdocs.yml: there is no page {page}"


def _broken_links() -> Iterator[str]:
    """Check links to files of the repository; those between pages are checked by the builder."""
    for page in (*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for link in _LINK.findall(page.read_text("utf-8")):
            target, _, heading = link.removeprefix(REPOSITORY).partition("#")
            if link.startswith(REPOSITORY):
                path = ROOT / target
            elif "://" in link:
                continue
            else:
                path = page.parent / target if target else page
            if not path.exists() or (heading and heading not in _headings(path)):
                yield f"{page.relative_to(ROOT)}: {link} leads nowhere"


def _headings(path: Path) -> set[str]:
    """Return GitHub's anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _loaded_from_elsewhere() -> Iterator[str]:
    for page in SITE.rglob("*.html"):
        for address in _LOADED.findall(page.read_text("utf-8")):
            if not address.startswith(ADDRESS):
                yield f"{page.relative_to(ROOT)} loads {address}"


def _escaped_bars() -> Iterator[str]:
    """A bar in the code of a table needs a backslash on GitHub, and shows it on the site."""
    for page in DOCS.rglob("*.md"):
        for row in re.findall(r"^\|.*`[^`]*\\\|.*`.*", page.read_text("utf-8"), re.MULTILINE):
            yield f"{page.relative_to(ROOT)}: a bar in code: {row}"


if __name__ == "__main__":
    main()
