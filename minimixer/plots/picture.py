import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A Figure that a notebook shows without pyplot.  The same picture gives the same bytes."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()
