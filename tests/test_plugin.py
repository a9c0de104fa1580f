"""The example of the help page as what it says it is: a method in another package, which the whole program finds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from tests.plugins import install
from workbench.exports.help import help_page
from workbench.runs.store import RunStore

REPOSITORY = Path(__file__).resolve().parent.parent
WINDOW = """
import json
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QComboBox, QLineEdit
from workbench.gui.app import application
from workbench.gui.style import ThemeKeeper
from workbench.gui.window import MainWindow

app = application()
window = MainWindow(ThemeKeeper(app, app), Path("runs"))
window.show()
picker = window.panel.findChild(QComboBox, "algorithm.name")
titles = [picker.itemText(index) for index in range(picker.count())]
window.panel.form.pick("dataset", "sinusoids")
picker.setCurrentIndex(next(index for index, title in enumerate(titles) if title.startswith("Stride")))
picker.activated.emit(picker.currentIndex())
window.panel.form.check_now()
QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # the fields of the method picked before
field = window.panel.findChild(QLineEdit, "algorithm.inner_lr")
experiment = window.panel.form.experiment
print(json.dumps({"titles": titles, "label": field.accessibleName(), "tip": field.toolTip(), "text": field.text(),
                  "algorithm": experiment.algorithm.name, "can_start": window.panel.start.isEnabled()}))
window.close()
"""


def blocks(language: str) -> list[str]:
    """The code of a language on the page, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", help_page("writing-an-algorithm"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site folder into which the page's package was installed, with the drawing that it adds at the end."""
    folder = tmp_path_factory.mktemp("site")
    example, drawing = blocks("python")
    (project,) = (tomllib.loads(text)["project"] for text in blocks("toml"))
    (folder / "stride.py").write_text(f"{example}\n{drawing}", encoding="utf8")
    ((name, target),) = project["entry-points"]["workbench.algorithms"].items()
    install(folder, project["name"], f"{name} = {target}")
    return folder


def python(site: Path, folder: Path, *arguments: str | Path) -> str:
    """What a fresh Python prints that finds this program and the site folder, and keeps everything in `folder`."""
    own = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE")}
    path = os.pathsep.join([str(REPOSITORY), str(site)])
    done = subprocess.run([sys.executable, *map(str, arguments)], env={**os.environ, **own, "PYTHONPATH": path,
                          "QT_QPA_PLATFORM": "offscreen"}, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_is_about_forty_lines() -> None:
    example = blocks("python")[0]
    assert len([line for line in example.splitlines() if line.strip()]) <= 45
    compile(example, "stride.py", "exec")


def test_the_example_is_listed_with_its_fields(site: Path, tmp_path: Path) -> None:
    listed = json.loads(python(site, tmp_path, "-m", "workbench", "list", "algorithms", "--json"))["algorithms"]
    stride = next(one for one in listed if one["name"] == "stride")
    assert (stride["title"], stride["source"]) == ("Stride", "Example")
    assert stride["summary"].startswith("MAML that walks along the gradient")
    assert [one["label"] for one in stride["parameters"]] == ["Inner steps", "Stride", "Inner steps, testing"]
    assert "maml" in {one["name"] for one in listed}


def test_the_example_is_trained_from_the_command_line_and_learns(site: Path, tmp_path: Path) -> None:
    settings = ["algorithm=stride", "dataset=sinusoids", "backbone.widths=16,16", "algorithm.inner_steps=2",
                "training.iterations=300", "training.meta_batch=4", "training.validation_tasks=4",
                "evaluation.tasks=200", "evaluation.probe_tasks=2", "device=cpu"]
    flags = [part for one in settings for part in ("--set", one)]
    said = json.loads(python(site, tmp_path, "-m", "workbench", "run", *flags, "--runs", tmp_path / "runs", "--json"))
    assert (said["status"], said["steps"], said["run_id"]) == ("finished", 300, "stride-sinusoids-0001")
    before, _, after = (one["mean"] for one in said["evaluation"]["by_step"])
    assert after < before
    history = RunStore(tmp_path / "runs").runs()[0].history()
    assert history.started is not None
    assert history.started.drawings["gone"].title == "Distance gone"
    shown = history.probes[-1].shown
    assert shown is not None
    assert shown.drawn["gone"].shape == (2, 3, 6, 1)
    assert not shown.drawn["gone"][:, 0].any()
    assert shown.drawn["gone"][:, 2].all()


def test_the_example_is_in_the_form_of_the_window(site: Path, tmp_path: Path) -> None:
    said = json.loads(python(site, tmp_path, "-c", textwrap.dedent(WINDOW)).splitlines()[-1])
    assert any(title.startswith("Stride") for title in said["titles"])
    assert said["algorithm"] == "stride"
    assert said["label"] == "Stride"
    assert "How far all parameters together move" in said["tip"]
    assert float(said["text"].replace(",", ".")) == 0.5
    assert said["can_start"]
