"""The gallery on disk: a file for each picture, and a page that needs nothing but these."""

from html.parser import HTMLParser
from inspect import signature

import pytest

from sklsq.gallery import PICTURES, write_gallery
from sklsq.gallery.page import INDEX, page_of
from sklsq.gallery.picture import Picture

pytest.importorskip("matplotlib.figure")
FEW = PICTURES[3:5]  # the fastest


class Page(HTMLParser):
    """What a page shows and asks for."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.sources += [named[key] for key in ("src", "href") if key in named]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_files_are_reported_as_they_are_written(tmp_path):
    directory = tmp_path / "new" / "gallery"
    for file in write_gallery(directory, FEW):
        assert file.stat().st_size > 1000
    files = [directory / p.file for p in FEW] + [directory / INDEX]
    assert sorted(directory.iterdir()) == sorted(files)
    captions = [picture.figure()[1] for picture in FEW]
    text = (directory / INDEX).read_text("utf-8")
    assert text == page_of(list(zip(FEW, captions, strict=True)))


def test_all_pictures_by_default():
    assert signature(write_gallery).parameters["pictures"].default is PICTURES


def test_page_lists_all():
    text = page_of([(picture, f"caption of {picture.name}") for picture in PICTURES])
    page = Page(text)
    assert page.sources == [picture.file for picture in PICTURES]
    assert page.open == []
    assert "http" not in text
    for picture in PICTURES:
        assert f"{picture.section} {picture.title}" in page.text
        assert f"caption of {picture.name}" in page.text


def test_page_escapes():
    picture = Picture(name="a&b", section="0", title="x < y", caption="", draw=lambda figure: {})
    text = page_of([(picture, "<b>bold</b>")])
    assert "x &lt; y" in text
    assert "&lt;b&gt;bold" in text
    assert 'src="a&amp;b.png"' in text


def test_existing_directory_keeps_what_is_in_it(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert list(write_gallery(tmp_path, FEW[:1]))[-1] == tmp_path / INDEX
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"


def test_refuses_a_file(tmp_path):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    with pytest.raises(NotADirectoryError, match="`directory` must be a directory, or not exist"):
        list(write_gallery(tmp_path / "taken"))
