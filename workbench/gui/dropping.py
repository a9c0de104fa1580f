"""Data and experiments that are dropped on the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget

from workbench.gui.theme import Theme
from workbench.tasks.files.dataset_toml import NAME

_MARGIN = 12


class DropTarget(QObject):
    """Takes what is dropped on a widget, and says over it what will become of that.

    Signals:
        data_dropped(Path): A file or a folder with data.
        experiment_dropped(Path): A file with an experiment.
        said(str, str): Something to tell, and its tone.
    """

    data_dropped = Signal(object)
    experiment_dropped = Signal(object)
    said = Signal(str, str)

    def __init__(self, on: QWidget) -> None:
        super().__init__(on)
        self._on = on
        self._hint = QLabel(on)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._hint.hide()
        on.setAcceptDrops(True)
        on.installEventFilter(self)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._hint.setStyleSheet(f"background: {theme.panel}; color: {theme.accent}; font-weight: 600; "
                                 f"border: 2px dashed {theme.accent}; border-radius: 8px;")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Show the hint while something may be dropped, and open what is."""
        if event.type() == QEvent.Type.DragLeave:
            self._hint.hide()
        elif isinstance(event, QDropEvent) and (path := _dropped(event)) is not None:
            if event.type() == QEvent.Type.DragEnter:
                event.acceptProposedAction()
                self._show_hint(path)
                return True
            if event.type() == QEvent.Type.Drop:
                event.acceptProposedAction()
                self._hint.hide()
                (self.experiment_dropped if _is_experiment(path) else self.data_dropped).emit(path)
                if (count := len(event.mimeData().urls())) > 1:
                    self.said.emit(f"{count} things were dropped, and {path} alone was opened; put what belongs "
                                   "together into one folder, and drop that", "warn")
                return True
        return super().eventFilter(watched, event)

    def _show_hint(self, path: Path) -> None:
        self._hint.setText("Drop it to fill the form with the experiment" if _is_experiment(path) else
                           "Drop it to train on its tasks, or to have a new one predicted")
        self._hint.setGeometry(self._on.rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN))
        self._hint.raise_()
        self._hint.show()


def _dropped(event: QDropEvent) -> Path | None:
    """The folder or file that is dropped, the folder where it is what says how to read one; None for anything else."""
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return next((path.parent if path.name == NAME else path for path in paths if path.exists()), None)


def _is_experiment(path: Path) -> bool:
    """Whether a file that is dropped is an experiment rather than data."""
    return path.suffix == ".toml" and path.is_file()
