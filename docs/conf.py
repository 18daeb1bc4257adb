"""How Sphinx builds the site: `make docs`. All that a page needs comes with it; nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from reframe_firecrest import __version__

project = "reframe-firecrest"
author = "the reframe-firecrest authors"
project_copyright = "the reframe-firecrest authors"
version = release = __version__

extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["examples"]
# A link to a heading has to name one that is there.
nitpicky = True
myst_heading_anchors = 3
# Names of options are not to become something else.
smartquotes = False

html_theme = "furo"
html_title = f"reframe-firecrest {__version__}"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "native"

FROM_THE_ROOT = {
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "changes": "CHANGELOG.md",
}
"""Pages whose text lies where the hosts of repositories look for it."""


def take_from_the_root(app: Sphinx, page: str, source: list[str]) -> None:
    """Put a text of the root in a page's place, with its links as they are from here."""
    if page not in FROM_THE_ROOT:
        return
    file = Path(app.srcdir).parent / FROM_THE_ROOT[page]
    app.env.note_dependency(file)
    text = file.read_text(encoding="utf-8").replace("](docs/", "](")
    for name, target in FROM_THE_ROOT.items():
        text = text.replace(f"]({target}", f"]({name}.md")
    source[0] = text


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the above."""
    app.connect("source-read", take_from_the_root)
