"""The figures of a lecture on least squares, each drawn anew: ``python -m sklsq demo --plots``."""

from sklsq.gallery.catalogue import PICTURES
from sklsq.gallery.page import write_gallery
from sklsq.gallery.picture import Picture

__all__ = ["PICTURES", "Picture", "write_gallery"]
