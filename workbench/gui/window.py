"""The main window: form, plots, runs and log, and the wires between them.

Most of what it is made of needs torch, which takes seconds to load. It is imported where the window is furnished, so
that an empty window can be on the screen meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QPoint, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QSplitter, QTabWidget, QToolTip, QVBoxLayout, QWidget

from workbench import places
from workbench.gui import settings
from workbench.gui.actions import MENUS, OPEN_MENU, RUN_MENU, SEPARATOR, Actions
from workbench.gui.icons import app_icon
from workbench.gui.launcher import LauncherError, add_to_menu
from workbench.gui.panes import LogPane
from workbench.gui.saving_place import SavingPlace
from workbench.gui.sketch import FORM_WIDTH, LOWER_HEIGHT, Sketch
from workbench.gui.style import PINS, Pin, ThemeKeeper
from workbench.gui.theme import Theme

if TYPE_CHECKING:
    from workbench.gui.closing import Closing
    from workbench.gui.desk import RunDesk
    from workbench.gui.form.panel import FormPanel
    from workbench.gui.plots.area import PlotArea
    from workbench.gui.predict_desk import PredictDesk
    from workbench.gui.preview.desk import PreviewDesk
    from workbench.gui.run_pane import RunPane
    from workbench.gui.training_commands import TrainingCommands


class MainWindow(QMainWindow):
    """The window.

    Attributes:
        panel: Form and buttons.
        plots: The centre.
        runs: The run table.
        log: The log.
        desk: The runs at hand.
        closing: What happens when the window is to go.
        training: Start, pause, stop and discard.
        is_furnished: Whether all of that is there yet.

    Signals:
        left(): The window is gone for good and everything is on the disk.
    """

    left = Signal()

    desk: RunDesk
    panel: FormPanel
    plots: PlotArea
    runs: RunPane
    preview: PreviewDesk
    predicting: PredictDesk
    closing: Closing
    training: TrainingCommands

    def __init__(self, keeper: ThemeKeeper, runs_folder: Path | None = None, *, is_furnished: bool = True) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle("Meta-Learning Workbench")
        self.setWindowIcon(app_icon())
        self.setMinimumSize(760, 480)
        self._keeper = keeper
        self._settings = settings.load()
        self._runs_folder = runs_folder or Path(self._settings.runs_folder or places.default_runs())
        self.is_furnished = False
        self._is_at_usual_size = not (self._settings.geometry and self.restoreGeometry(_bytes(self._settings.geometry)))
        if self._is_at_usual_size:
            # The title bar and the frame, whose sizes nobody knows before the window is shown, must fit too.
            room = self.screen().availableGeometry().size() - QSize(16, 56)
            self.resize(QSize(1440, 900).boundedTo(room))
        if is_furnished:
            self.furnish()
        else:
            for title in MENUS:
                self.menuBar().addMenu(title).setEnabled(False)
            self.setCentralWidget(Sketch(keeper.theme))

    def furnish(self) -> None:
        """Put everything in; it imports torch, unless that was done meanwhile."""
        from workbench.gui.closing import Closing
        from workbench.gui.controller import TICK_MILLISECONDS
        from workbench.gui.data_desk import DataDesk
        from workbench.gui.desk import RunDesk
        from workbench.gui.developer_panel import DeveloperPanel
        from workbench.gui.dropping import DropTarget
        from workbench.gui.file_commands import FileCommands
        from workbench.gui.form.panel import FormPanel
        from workbench.gui.jobs import Jobs
        from workbench.gui.memory_desk import MemoryDesk
        from workbench.gui.plots.area import PlotArea
        from workbench.gui.predict_desk import PredictDesk
        from workbench.gui.preview.desk import PreviewDesk
        from workbench.gui.run_commands import RunCommands
        from workbench.gui.run_pane import RunPane
        from workbench.gui.status import StatusBar
        from workbench.gui.training_commands import TrainingCommands
        from workbench.gui.watchdog import Watchdog
        from workbench.runs.store import RunStore

        theme = self._keeper.theme
        self._jobs = Jobs(self)
        self.desk = RunDesk(RunStore(self._runs_folder), theme, self._jobs, self)
        self.panel = FormPanel(theme)
        self.plots = PlotArea(theme)
        self.runs = RunPane(self.desk.model)
        self.log = LogPane(theme)
        self._developer = DeveloperPanel(theme, self)
        self._status = StatusBar(theme, self)
        self._drops = DropTarget(self)
        self._lay_out()
        self._place = SavingPlace(self._settings.saving_folder, self)
        self._data = DataDesk(self.panel.form, self._jobs, self)
        self._memory = MemoryDesk(self.panel, self._jobs, self)
        self.preview = PreviewDesk(self.panel.form, self._jobs, theme, self)
        self.predicting = PredictDesk(self.desk, self._jobs, theme, self)
        self._run_commands = RunCommands(self.desk, self.panel.form, self._jobs, self._place, self)
        self.closing = Closing(self.desk.controller, self)
        self._watchdog = Watchdog(self.desk.controller, self)
        self.training = TrainingCommands(self.desk, self.panel, self._status, self)
        self._files = FileCommands(self.desk, self.panel.form, self._place, self)
        self._ticker = QTimer(self)
        self._ticker.setInterval(TICK_MILLISECONDS)
        self._ticker.timeout.connect(self.plots.tick)
        self._fill_menus()
        self._connect()
        self._draw_for(theme)
        self._restore()
        self.is_furnished = True
        self._ticker.start()

    def _fill_menus(self) -> None:
        self.menuBar().clear()
        self.actions_ = Actions(self._handlers(), self)
        self.actions_["open_samples"].setMenu(self._data.sample_menu)
        self.actions_.fill(self.menuBar())
        open_menu = QMenu(self)
        self.actions_.fill_menu(open_menu, OPEN_MENU)
        self.panel.form.card.set_open_menu(open_menu)
        self.addActions(self.actions_.all())

    # Layout

    def _lay_out(self) -> None:
        from workbench.gui.dialogs import Notice

        self._lower = QTabWidget()
        self._lower.setObjectName("lower")
        self._lower.setDocumentMode(True)
        self._lower.addTab(self.runs, "Runs")
        self._lower.addTab(self.log, "Log")
        self._centre = QSplitter(Qt.Orientation.Vertical)
        self._centre.setObjectName("centre")
        self._centre.addWidget(self.plots)
        self._centre.addWidget(self._lower)
        self._centre.setStretchFactor(0, 1)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._centre, 1)
        self._notice = Notice(right, self.plots.tabs.tabBar())
        self._sides = QSplitter(Qt.Orientation.Horizontal)
        self._sides.setObjectName("sides")
        self._sides.addWidget(self.panel)
        self._sides.addWidget(right)
        self._sides.setStretchFactor(1, 1)
        for splitter in (self._sides, self._centre):
            splitter.setHandleWidth(1)
            splitter.setChildrenCollapsible(False)
        self.setCentralWidget(self._sides)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._developer)
        self._developer.hide()
        self.setStatusBar(self._status)
        self._reset_layout()

    @Slot()
    def _reset_layout(self) -> None:
        self.panel.show()
        self._lower.show()
        self._developer.hide()
        self._sides.setSizes([FORM_WIDTH, max(600, self.width() - FORM_WIDTH)])
        lower = min(LOWER_HEIGHT, round(0.3 * self.height()))
        self._centre.setSizes([self.height() - lower, lower])
        self.runs.reset_columns()

    def _handlers(self) -> dict[str, Callable[..., object]]:
        commands, panel, training = self._run_commands, self.panel, self.training
        return {
            "open_folder": self._data.ask_for_folder, "open_file": self._data.ask_for_file,
            "open_samples": self._data.pop_samples_up, "preview": self.preview.open,
            "open_experiment": self._files.ask_for_experiment, "save_experiment": self._files.save_experiment,
            "runs_folder": self._files.ask_for_runs_folder, "quit": self.close, "start": training.start,
            "pause": training.pause_or_resume, "stop": training.stop, "discard": training.discard,
            "copy_command": panel.copy_command, "reset_form": panel.form.reset,
            "dataset_details": self._data.show_details, "resume": commands.resume,
            "draw": self.runs.toggle_focused, "load_run": commands.load_run, "show_folder": commands.show_folder,
            "copy_run_command": commands.copy_run_command,
            "predict": self.predicting.ask_for_folder, "export": commands.export,
            "delete": commands.delete,
            **{f"theme_{pin}": partial(self._pin_theme, pin) for pin in PINS},
            "show_form": self.panel.setVisible, "show_lower": self._lower.setVisible,
            "show_developer": self._developer.setVisible, "go_to_form": self._go_to_form,
            "go_to_runs": partial(self._go_to_lower, self.runs), "go_to_log": partial(self._go_to_lower, self.log),
            "reset_layout": self._reset_layout, "help": self._show_help, "add_to_menu": self._add_to_menu,
            "about": self._show_about,
        }

    def _connect(self) -> None:
        self.panel.copied.connect(self._copied)
        self.panel.form.checked.connect(self._show_what_can_be_done)
        self.panel.form.noted.connect(self._tell)
        self.panel.form.help_wanted.connect(self._show_page)
        self.panel.form.card.preview_requested.connect(self.preview.open)
        self._data.began.connect(self._notice.hide)
        self._drops.data_dropped.connect(self._data.open_path)
        self._drops.experiment_dropped.connect(self._files.open_experiment)
        self.runs.sample_requested.connect(self._data.open_named_sample)
        self._data.new_task_opened.connect(self.predicting.open_folder)
        for teller in (self._data, self._drops, self.predicting, self._run_commands, self._files, self.closing,
                       self.training):
            teller.said.connect(self.say)
        self._files.folder_picked.connect(self._runs_folder_picked)
        self.training.changed.connect(self._show_what_can_be_done)
        self.training.began.connect(self.runs.focus)
        self.training.began.connect(self._notice.hide)
        self.training.began.connect(self.remember)  # so that a run has its colour again whatever happens
        self.closing.leave_requested.connect(self._leave)
        self.closing.sent_away.connect(self.remember)
        self.runs.focus_changed.connect(self._focus_run)
        self.runs.menu_requested.connect(self._show_run_menu)
        self.runs.start_requested.connect(self.training.start)
        self.desk.shown_changed.connect(self._show_runs)
        self.desk.progressed.connect(self._show_background_progress)
        self.desk.unreadable.connect(self._tell_bad)
        self.desk.model.dataChanged.connect(self._show_what_can_be_done)
        self._keeper.theme_changed.connect(self._set_theme)
        self.desk.controller.run_started.connect(self._ticker.stop)
        # While a run is trained, one timer takes in and repaints: Python changes threads each time that it wakes Qt.
        self.desk.controller.drained.connect(self.plots.tick)
        self.desk.controller.run_ended.connect(self._tick_on)
        self.plots.repainted.connect(self._watchdog.note_repaint)
        self._watchdog.saw.connect(self._developer.show_second)
        self._developer.opened.connect(self._watchdog.read_along)
        self._developer.visibilityChanged.connect(self._tick_developer)
        self.training.began.connect(self._developer.begin_anew)

    # What is shown

    @Slot(str)
    def _focus_run(self, run_id: str) -> None:
        self.desk.focus(run_id)
        self._show_what_can_be_done()

    @Slot()
    def _show_runs(self) -> None:
        # While a run is trained there is a tick for each plot, and all of them at once would hold training up.
        self.plots.show_runs(self.desk.shown(), self.desk.focused or None,
                             at_once=not self.desk.controller.is_training)

    @Slot()
    def _show_what_can_be_done(self) -> None:
        controller = self.desk.controller
        self.panel.show_training(is_training=controller.is_training, is_paused=controller.is_paused,
                                 is_stopping=controller.is_stopping, is_testing=controller.is_testing)
        is_free = controller.is_training and not controller.is_stopping
        self.actions_["start"].setEnabled(not controller.is_training and self.panel.start.isEnabled())
        for name in ("pause", "stop", "discard"):
            self.actions_[name].setEnabled(is_free)
        self.actions_["pause"].setText("Go on" if controller.is_paused else "Pause")
        impossible = self._run_commands.possible()
        for name in RUN_MENU:
            if name != SEPARATOR:
                self.actions_.allow(name, impossible.get(name, ""))

    def say(self, text: str, tone: str = "") -> None:
        """Tell the person: in the log, and across the window where it matters."""
        self.log.say(text, tone)
        if tone in ("warn", "bad", "good"):
            self._notice.say(text, tone)

    @Slot(str)
    def _tell(self, text: str) -> None:
        self.say(text, "warn")

    @Slot(str)
    def _tell_bad(self, text: str) -> None:
        self.say(text, "bad")

    @Slot(str)
    def _runs_folder_picked(self, folder: str) -> None:
        self._settings.runs_folder = folder

    @Slot()
    def _show_background_progress(self) -> None:
        run = self.desk.controller.run
        if run is not None:
            self.closing.show_progress(run.id, self.desk.controller.history)

    @Slot(str)
    def _copied(self, _: str) -> None:
        place = self.panel.mapToGlobal(QPoint(24, self.panel.height() - 130))
        QToolTip.showText(place, "The command line was copied.", self.panel)

    @Slot()
    def _add_to_menu(self) -> None:
        try:
            self.say(f"The program is in the applications menu now ({add_to_menu()})", "good")
        except LauncherError as error:
            self.say(f"{error}", "warn")

    @Slot(QPoint)
    def _show_run_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        self.actions_.fill_menu(menu, RUN_MENU)
        menu.popup(place)

    @Slot()
    def _tick_on(self) -> None:
        self._ticker.start()

    @Slot(bool)
    def _tick_developer(self, _: bool) -> None:
        self.actions_["show_developer"].setChecked(not self._developer.isHidden())

    def _pin_theme(self, pin: Pin, _: bool = True) -> None:
        self._keeper.set_pin(pin)
        self._settings.theme = pin
        for one in PINS:
            self.actions_[f"theme_{one}"].setChecked(one == pin)

    @Slot(object)
    def _set_theme(self, theme: Theme) -> None:
        self.panel.set_theme(theme)
        self.plots.set_theme(theme)
        self.desk.model.set_theme(theme)
        self.log.set_theme(theme)
        self.preview.set_theme(theme)
        self.predicting.set_theme(theme)
        self._status.set_theme(theme)
        self._developer.set_theme(theme)
        self._draw_for(theme)

    def _draw_for(self, theme: Theme) -> None:
        """What the window itself draws."""
        self.actions_.set_theme(theme)
        self._drops.set_theme(theme)

    @Slot()
    def _go_to_form(self) -> None:
        self.panel.show()
        self.panel.form.preset_picker.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _go_to_lower(self, pane: QWidget) -> None:
        self._lower.show()
        self._lower.setCurrentWidget(pane)
        pane.setFocus(Qt.FocusReason.ShortcutFocusReason)

    @Slot()
    def _show_help(self) -> None:
        self._show_page("index")

    @Slot(str)
    def _show_page(self, name: str) -> None:
        """Show a page of the help, in the window of the help that is open where one is."""
        from workbench.gui.dialogs import HelpDialog

        dialog = self.findChild(HelpDialog)
        if dialog is None:
            dialog = HelpDialog(self, name)
        else:
            dialog.open_page(name)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    @Slot()
    def _show_about(self) -> None:
        from workbench.gui.dialogs import AboutDialog

        AboutDialog(self).open()

    # What is remembered, and the end

    def _restore(self) -> None:
        known = self._settings
        pin: Pin = next((one for one in PINS if one == known.theme), "system")
        self._pin_theme(pin)
        if self._is_at_usual_size:
            self._reset_layout()
        for splitter in (self._sides, self._centre):
            splitter.restoreState(_bytes(known.splitters.get(splitter.objectName(), "")))
        self.runs.restore_columns(known.columns)
        self.panel.form.restore(known.form, known.folds)
        self._data.last_folder = known.last_folder
        self._lower.setCurrentIndex(known.tab)
        self._developer.setVisible(known.developer)
        self.plots.restore_state(known.plots)
        ticked, colors = ({name: color for name, color in one.items() if isinstance(color, int) and color >= 0}
                          for one in (known.ticked, known.colors))
        self.desk.open(ticked, colors)
        self.runs.focus(known.focused)
        self.actions_["show_form"].setChecked(True)
        self.actions_["show_lower"].setChecked(True)
        self._show_what_can_be_done()

    @Slot()
    @Slot(str)
    def remember(self, _: str = "") -> None:
        """Keep what should be as it is now at the next start."""
        known = self._settings
        known.geometry = _text(self.saveGeometry())
        known.splitters = {one.objectName(): _text(one.saveState()) for one in (self._sides, self._centre)}
        known.form, known.folds = self.panel.form.draft.state(), self.panel.form.folds()
        rows = self.desk.model.rows()
        known.ticked = {row.run.id: row.color_index for row in rows if row.color_index is not None}
        known.colors = {name: color for name, color in self.desk.model.colors.items()
                        if self.desk.model.row_of(name) is not None}
        known.focused = self.desk.focused
        known.plots = self.plots.save_state()
        known.developer = not self._developer.isHidden()
        known.columns, known.tab = self.runs.columns_state(), self._lower.currentIndex()
        known.last_folder, known.saving_folder = self._data.last_folder, self._place.folder
        settings.save(known)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Go, or ask first where a run is under way."""
        if not self.is_furnished:  # nothing has begun; who furnishes it sees that it is no longer there
            event.accept()
        elif self.closing.may_close():
            self._leave()
            event.accept()
        else:
            event.ignore()

    @Slot()
    def _leave(self) -> None:
        """Leave everything in order: what is trained is stopped and kept, and the state is remembered."""
        if not self.closing.is_away:  # it was remembered then, and another window may have written since
            self.remember()
        self.closing.shut()
        self._watchdog.stop()
        self.desk.close()
        self._data.close()
        self.desk.controller.wait()
        self._ticker.stop()
        self._jobs.close()
        self.hide()
        self.left.emit()


def _text(state: QByteArray) -> str:
    return bytes(state.toBase64().data()).decode()


def _bytes(text: str) -> QByteArray:
    return QByteArray.fromBase64(text.encode())
