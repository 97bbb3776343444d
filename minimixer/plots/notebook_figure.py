"""A matplotlib Figure that notebooks show without pyplot; imported when the first figure is made."""

import io
from typing import Any

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A Figure that a notebook shows without pyplot.  The same plot gives the same bytes.

    ``alt`` says in words what it shows, for readers who do not see it.  A notebook keeps it as the image's ``alt``, as
    it does for ``IPython.display.Image``, and as the plain text that stands in for the image.
    """

    alt: str = ""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {"image/png": self._repr_png_()}
        if not self.alt:
            return data, {}
        return data | {"text/plain": self.alt}, {"image/png": {"alt": self.alt}}
