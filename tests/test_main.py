"""The command line: what it prints, writes and returns."""

import subprocess
import sys

import numpy as np
import pytest

from sklsq import WeightedLinearFit
from sklsq.__main__ import STORIES, main
from sklsq.gallery import PICTURES, write_gallery

PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments, cwd):
    """Run the command as a user does, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "sklsq", *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture
def _no_matplotlib(monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)


def test_demo_from_the_shell(tmp_path):
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.rstrip().endswith("Picture: sklsq-demo.png")
    assert (tmp_path / "sklsq-demo.png").read_bytes().startswith(PNG)


def test_demo_without_a_picture_from_the_shell(tmp_path):
    done = run("demo", "--no-plot", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Picture" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_demo_tells_the_story(capsys):
    assert main(["demo", "--no-plot"]) == 0
    text = capsys.readouterr().out
    for part in (
        "From Weisberg, H.,",
        "inverse_energy    531 ± 29",
        "chi2      21.9526 for 8 degrees of freedom",
        "too large (p = 0.005)",
        "chi2      3.22553 for 7 degrees of freedom",
        "inverse_energy**2 is 4.3 times its standard deviation: the data bend",
        "At inverse_energy = 0.3, measured with sigma = 10:",
    ):
        assert part in text
    lines = text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 104


@pytest.mark.parametrize("name", STORIES)
def test_every_story_forecasts_with_intervals(name, capsys):
    assert main(["demo", "--no-plot", "--data", name]) == 0
    row = next(s for s in capsys.readouterr().out.splitlines() if s.startswith("  line "))
    low, high = (float(row.split()[k]) for k in (-3, -1))
    story = STORIES[name]
    data = story.load()
    line = WeightedLinearFit().fit(data.X, data.y_values, sigma=data.sigma_values)
    at = data.X.iloc[:1].assign(**{data.x[0]: story.x})
    expected = line.predict_interval(at, kind="prediction", sigma=story.sigma)[0]
    # Printed to the second digit of the error of the curve, which is of the size of a unit or less.
    np.testing.assert_allclose([low, high], expected, atol=0.051)


def test_verdict_is_that_of_the_data(capsys):
    main(["demo", "--no-plot", "--data", "pion_minus"])
    assert "0.3 times its standard deviation: the data show no bend" in capsys.readouterr().out


@pytest.mark.parametrize("name", STORIES)
def test_pictures(name, tmp_path, capsys):
    file = tmp_path / f"{name}.svg"
    assert main(["demo", "--data", name, "--plot", str(file)]) == 0
    assert "<svg" in file.read_text("utf-8")
    assert f"Picture: {file}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "message"),
    [("missing/picture.png", "No such file or directory"), ("picture.xyz", "'xyz' is not supp")],
)
def test_picture_that_cannot_be_written(file, message, tmp_path, capsys):
    assert main(["demo", "--plot", str(tmp_path / file)]) == 1
    assert message in capsys.readouterr().err


def test_gallery_is_written_into_a_new_directory(tmp_path, capsys, monkeypatch):
    few = PICTURES[3:5]
    monkeypatch.setattr(write_gallery, "__defaults__", (few,))
    directory = tmp_path / "new" / "gallery"
    assert main(["demo", "--plots", str(directory)]) == 0
    files = [directory / picture.file for picture in few] + [directory / "index.html"]
    assert capsys.readouterr().out.splitlines() == [str(file) for file in files]
    assert sorted(directory.iterdir()) == sorted(files)
    assert files[0].read_bytes().startswith(PNG)


def test_gallery_where_a_file_is(tmp_path, capsys):
    file = tmp_path / "taken"
    file.write_text("mine", encoding="utf-8")
    assert main(["demo", "--plots", str(file)]) == 1
    captured = capsys.readouterr()
    assert f"must be a directory, or not exist. Got {file}, which is a file" in captured.err
    assert captured.out == ""
    assert file.read_text("utf-8") == "mine"


def test_gallery_below_a_file(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    assert main(["demo", "--plots", str(tmp_path / "taken" / "gallery")]) == 1
    assert "No gallery: " in capsys.readouterr().err


@pytest.mark.usefixtures("_no_matplotlib")
def test_gallery_without_matplotlib(tmp_path, capsys):
    assert main(["demo", "--plots", str(tmp_path / "gallery")]) == 1
    assert "pip install sklsq[plot]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_no_matplotlib")
def test_demo_without_matplotlib(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    captured = capsys.readouterr()
    assert "matplotlib is not installed. Install it with `pip install sklsq[plot]`" in captured.out
    assert captured.err == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_no_matplotlib")
def test_picture_asked_for_without_matplotlib(capsys):
    assert main(["demo", "--plot", "picture.png"]) == 1
    assert "pip install sklsq[plot]" in capsys.readouterr().err


def test_without_a_command_it_helps(capsys):
    assert main([]) == 0
    assert "usage: python -m sklsq" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("sklsq ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--data", "moon"],
        ["fit"],
        ["demo", "--no-plot", "--plot", "a.png"],
        ["demo", "--plots", "a", "--plot", "a.png"],
    ],
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    assert "error: argument" in capsys.readouterr().err
