"""A matplotlib Figure that notebooks show without pyplot; imported when the first figure is made."""

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A Figure that a notebook shows without pyplot.  The same plot gives the same bytes."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()
