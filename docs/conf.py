"""How Sphinx builds the site: `make docs`. All that a page needs comes with it; nothing is fetched."""

from __future__ import annotations

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
