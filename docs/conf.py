"""Sphinx settings.  Each build regenerates the pages derived from the repository: see pages.py."""

import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import MathError, tex2mathml
from sphinx.util import logging

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]      # this clone, not an installed one
import pages  # noqa: E402

import minimixer  # noqa: E402

project = "minimixer"
author = "The minimixer developers"
release = minimixer.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["_build", "jupyter_execute", "play"]       # myst-nb writes the second, next to _build

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"                           # show the outputs that the lessons' tests have checked
nb_merge_streams = True

autodoc_typehints = "none"                          # the docstrings give types and shapes
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_param = napoleon_use_rtype = False    # "Tensor, shape (B, S, C)" is a sentence, not a link
copybutton_exclude = ".linenos, .gp, .go"           # prompts and outputs are not copied

html_theme = "furo"
html_title = "minimixer"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["play"]                          # written by pages.py
html_show_sphinx = False
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"light_css_variables": {"color-brand-primary": "#005a8f", "color-brand-content": "#005a8f"}}
html_math_renderer = "mathml"


def write_math(writer, node):
    """Render formulas as MathML, which browsers draw natively, without scripts or web fonts."""
    is_block = isinstance(node, nodes.math_block)
    try:
        formula = tex2mathml(re.sub(r"\\dots\b", r"\\ldots", node.astext()), as_block=is_block)
    except MathError as error:
        logging.getLogger(__name__).warning("the formula %s: %s", node.astext(), error, location=node)
        formula = writer.encode(node.astext())
    writer.body.append(writer.starttag(node, "div" if is_block else "span", "", CLASS="math") + formula
                       + ("</div>" if is_block else "</span>"))
    raise nodes.SkipNode


def say_language(app, page, template, context, doctree):
    """Tell the browser which pages are Korean: fonts, line breaks and screen readers follow."""
    if page.startswith(("ko/", "lessons/ko/")):
        context["language"] = "ko"


def setup(app):
    """Called by Sphinx at startup."""
    app.connect("html-page-context", say_language)
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
    app.connect("config-inited", lambda app, config: pages.write(Path(app.srcdir)))
