"""What the first page shows runs as it stands there."""

import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import sklearn

README = Path(__file__).parent.parent / "README.md"


def test_code_of_the_readme_runs(capsys):
    mpl.use("Agg")
    code = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S))
    names: dict[str, object] = {}
    with sklearn.config_context():
        exec(compile(code, str(README), "exec"), names)
    plt.close("all")
    assert "21.9526 for 8 degrees of freedom" in capsys.readouterr().out
    assert names["fit"].converged_
    assert round(names["york"].intercept_, 6) == 5.47991
