"""The playground: one HTML file, with a trained Mixer inside, in which one draws and the Mixer answers.

``contents.py`` collects what the page needs, ``page.py`` writes it; ``mixer.js`` is the forward pass in the browser.
"""

from minimixer.play.contents import PlayError
from minimixer.play.page import Page, page

__all__ = ["Page", "PlayError", "page"]
