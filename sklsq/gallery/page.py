"""The gallery on disk: a PNG for each picture, and a page that shows them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from sklsq.gallery.catalogue import PICTURES
from sklsq.gallery.picture import Picture

__all__ = ["INDEX", "page_of", "write_gallery"]

INDEX = "index.html"
_DPI = 110
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}"
    "img{max-width:100%;height:auto}figure{margin:0 0 3em}h2{margin-bottom:.3em}"
    "figcaption{max-width:48em}"
)


def write_gallery(directory: Path, pictures: Sequence[Picture] = PICTURES) -> Iterator[Path]:
    """Draw pictures into a directory, with a page that shows them, and yield each file written.

    Parameters
    ----------
    directory : Path
        Where to; created if it is not there.
    pictures : sequence of Picture
        Which; by default all.

    Yields
    ------
    file : Path
        A file, after it was written; the page comes last.

    Raises
    ------
    NotADirectoryError
        If `directory` is something else.
    OSError
        If it cannot be written.
    """
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(
            f"`directory` must be a directory, or not exist. Got {directory}, which is a file."
        )
    directory.mkdir(parents=True, exist_ok=True)
    shown = []
    for picture in pictures:
        figure, caption = picture.figure()
        figure.savefig(directory / picture.file, dpi=_DPI)
        shown.append((picture, caption))
        yield directory / picture.file
    (directory / INDEX).write_text(page_of(shown), encoding="utf-8")
    yield directory / INDEX


def page_of(shown: Sequence[tuple[Picture, str]]) -> str:
    """Return the page of pictures with their captions: HTML that needs nothing but the pictures."""
    figures = "\n".join(
        f"<h2>{escape(picture.section)} {escape(picture.title)}</h2>\n"
        f'<figure><img src="{escape(picture.file)}" alt="{escape(picture.title)}">\n'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for picture, caption in shown
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Least squares in pictures</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        "<h1>Least squares in pictures</h1>\n"
        "<p>Drawn by <code>python -m sklsq demo --plots</code>, from data that come with sklsq or "
        "are simulated with fixed seeds. All numbers are those of the fits shown.</p>\n"
        f"{figures}\n</body>\n</html>\n"
    )
