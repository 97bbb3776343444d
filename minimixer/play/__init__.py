"""The playground: one HTML file, with a trained Mixer inside, in which one draws and the Mixer answers.

``contents.py`` collects what the page needs, ``page.py`` writes it; ``mixer.js`` is the forward pass in the browser.
"""

from minimixer.play.page import Page, is_page, page

__all__ = ["Page", "is_page", "page"]
