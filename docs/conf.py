"""Configuration of Sphinx for `make docs`. Pages load nothing from other sites."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
pygments_style = "default"
pygments_dark_style = "native"

FROM_THE_ROOT = {
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "changes": "CHANGELOG.md",
}
"""Pages whose text is in the root, where hosts of repositories look for it."""

BRANCH = "main"


def remote_url() -> str:
    """Return the address of the git remote `origin`, or an empty string."""
    command = ["git", "-C", str(Path(__file__).parent), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    except OSError:
        return ""
    return done.stdout.strip()


def repository_url(environment: Mapping[str, str], remote: str) -> str:
    """Return the address of the repository's page, or an empty string.

    Args:
        environment: variables of the process that builds the site; GitLab and GitHub set the address.
        remote: address of the git remote; used if it is an https address, without its credentials.
    """
    if url := environment.get("CI_PROJECT_URL"):
        return url
    if environment.get("GITHUB_SERVER_URL") and environment.get("GITHUB_REPOSITORY"):
        return f"{environment['GITHUB_SERVER_URL']}/{environment['GITHUB_REPOSITORY']}"
    parts = urlsplit(remote)
    if parts.scheme != "https" or not parts.hostname:
        return ""
    port = f":{parts.port}" if parts.port else ""
    return f"https://{parts.hostname}{port}{parts.path.rstrip('/').removesuffix('.git')}"


def file_links(environment: Mapping[str, str], url: str) -> dict[str, str]:
    """Return the theme's options for links to a page's source; none if the host's addresses are unknown."""
    host = urlsplit(url).hostname or ""
    if "CI_PROJECT_URL" in environment or "gitlab" in host:
        base = f"{url}/-"
    elif "GITHUB_REPOSITORY" in environment or host == "github.com":
        base = url
    else:
        return {}
    return {
        "source_view_link": f"{base}/blob/{BRANCH}/{{filename}}",
        "source_edit_link": f"{base}/edit/{BRANCH}/{{filename}}",
    }


def theme_options(environment: Mapping[str, str], remote: str) -> dict[str, Any]:
    """Return the options of the theme, with links to the repository if its address is known."""
    options: dict[str, Any] = {"navigation_with_keys": True}
    if url := repository_url(environment, remote):
        icon = {"name": "Repository", "url": escape(url), "html": "Repository", "class": ""}
        options |= {"footer_icons": [icon], **file_links(environment, url)}
    return options


html_theme_options = theme_options(os.environ, remote_url())


def link_to_the_source(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Link each page to the file that has its text; pages that are written from the code have none."""
    del app, template
    if doctree is None or page.startswith("reference/"):
        context["page_source_suffix"] = ""
        return
    file = FROM_THE_ROOT.get(page, f"docs/{page}{context.get('page_source_suffix', '')}")
    for option in ("theme_source_view_link", "theme_source_edit_link"):
        if context.get(option):
            context[option] = context[option].format(filename=file)


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
    app.connect("html-page-context", link_to_the_source)
