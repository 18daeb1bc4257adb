"""Configuration of Sphinx for `make docs`. Pages load nothing from other sites."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from reframe_firecrest import __version__

project = "reframe-firecrest"
author = "the reframe-firecrest authors"
project_copyright = "the reframe-firecrest authors"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
# Prompts and sample output are not part of a command.
copybutton_exclude = ".linenos, .gp, .go"
root_doc = "index"
exclude_patterns = ["examples"]
# A link to a missing heading is an error.
nitpicky = True
myst_heading_anchors = 3
# Otherwise `--option` would get a dash.
smartquotes = False

html_theme = "furo"
html_title = f"reframe-firecrest {__version__}"
html_show_sphinx = False
html_copy_source = False
html_use_index = False
# Tables become lists on narrow screens.
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_js_files = ["tables.js"]
html_theme_options = {"navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "native"

FROM_THE_ROOT = {
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "changes": "CHANGELOG.md",
}
"""Pages whose text is in the root, where hosts of repositories look for it."""


def take_from_the_root(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace a page by a file of the root, with its links adapted."""
    if page not in FROM_THE_ROOT:
        return
    file = Path(app.srcdir).parent / FROM_THE_ROOT[page]
    app.env.note_dependency(file)
    text = file.read_text(encoding="utf-8").replace("](docs/", "](")
    for name, target in FROM_THE_ROOT.items():
        text = text.replace(f"]({target}", f"]({name}.md")
    source[0] = text


def setup(app: Sphinx) -> None:
    """Register the functions above."""
    app.connect("source-read", take_from_the_root)
