"""Everything that the person can do, declared once, and the menus as tables of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from workbench.gui import icons
from workbench.gui.theme import Theme


@dataclass(frozen=True)
class Command:
    """Something that can be done.

    Attributes:
        id: Its name in the menus' tables.
        text: What menus call it.
        tip: What it does, in a sentence.
        shortcut: Keys; empty for none.
        icon: Icon; empty for none.
        is_switch: Whether it is on or off.
    """

    id: str
    text: str
    tip: str
    shortcut: str = ""
    icon: str = ""
    is_switch: bool = False


SEPARATOR = "-"
COMMANDS = (
    Command("open_folder", "Open data folder…", "Train on a folder of your own.", "Ctrl+O", "folder"),
    Command("open_file", "Open data file…", "Train on a table, a zip or arrays of your own.", "Ctrl+Alt+O", "file"),
    Command("open_samples", "Open sample", "Try one of the small examples that come with the program."),
    Command("open_experiment", "Open experiment…", "Fill the form from an experiment file.", "Ctrl+Shift+O", "file"),
    Command("save_experiment", "Save experiment…", "Keep what the form says as a file.", "Ctrl+S"),
    Command("runs_folder", "Runs folder…", "Keep runs in another folder, and show those that are there."),
    Command("quit", "Quit", "Close the program.", "Ctrl+Q"),
    Command("start", "Start", "Train what the form says.", "Ctrl+Return", "play"),
    Command("pause", "Pause", "Let the training wait, or go on.", "Ctrl+P", "pause"),
    Command("stop", "Stop and keep", "Stop after the tasks at hand and keep everything.", "Ctrl+.", "stop"),
    Command("discard", "Discard…", "Stop and delete the run.", "Ctrl+Shift+.", "trash"),
    Command("copy_command", "Copy command line", "Copy the command line that does what the form says.",
            "Ctrl+Shift+C", "terminal"),
    Command("reset_form", "Reset to defaults", "Go back to the defaults that suit what is picked."),
    Command("preview", "Data preview…", "Classes, random examples, whole tasks and every problem of the data.",
            "Ctrl+D", "chart"),
    Command("dataset_details", "Dataset details…", "Everything that was found in the data.", "Ctrl+I", "info"),
    Command("resume", "Resume", "Train the run on from its latest checkpoint.", "Ctrl+R", "resume"),
    Command("draw", "Draw in the plots", "Draw the run over the others, or draw it no longer.", "Ctrl+T", "chart"),
    Command("load_run", "Load into form", "Fill the form with what was run.", "Ctrl+L", "file"),
    Command("show_folder", "Show folder", "Open the run's folder.", "Ctrl+Shift+F", "folder"),
    Command("copy_run_command", "Copy command line of the run", "Copy the command line that does the same again.",
            "", "terminal"),
    Command("predict", "Predict a new task…", "Adapt what the run learned to a folder of a few labelled examples, and "
            "predict the others.", "Ctrl+Shift+P", "target"),
    Command("export", "Export…", "Save the learner that the run gave, to be used elsewhere.", "Ctrl+E", "export"),
    Command("delete", "Delete…", "Delete the run's folder.", "Ctrl+Del", "trash"),
    Command("theme_system", "Follow the system", "Light or dark as the system says.", is_switch=True),
    Command("theme_light", "Light", "Always light.", is_switch=True),
    Command("theme_dark", "Dark", "Always dark.", is_switch=True),
    Command("show_form", "Experiment form", "Show or hide the form.", "Ctrl+1", is_switch=True),
    Command("show_lower", "Runs and log", "Show or hide the lower pane.", "Ctrl+2", is_switch=True),
    Command("show_developer", "Developer panel", "Show what the window costs: how late it is, what plots take, and the "
            "rate of the training.", "Ctrl+3", is_switch=True),
    Command("go_to_form", "Go to the form", "Put the keyboard into the form.", "F6"),
    Command("go_to_runs", "Go to the runs", "Put the keyboard into the run table.", "F7"),
    Command("go_to_log", "Go to the log", "Show the log.", "F8"),
    Command("reset_layout", "Reset layout", "Put every pane back to its usual size.", "", "layout"),
    Command("help", "Help pages", "How everything is meant.", "F1", "help"),
    Command("add_to_menu", "Add to the applications menu", "Put the program where the system keeps its programs."),
    Command("about", "About", "Version, licence and what the program stands on."),
)
SUBMENUS = {"colors": ("Colours", ("theme_system", "theme_light", "theme_dark"))}
"""Menus inside menus: what they are called, and what they hold."""
MENUS: dict[str, tuple[str, ...]] = {
    "&File": ("open_folder", "open_file", "open_samples", SEPARATOR, "open_experiment", "save_experiment", SEPARATOR,
              "runs_folder", SEPARATOR, "quit"),
    "&Experiment": ("start", "pause", "stop", "discard", SEPARATOR, "copy_command", "reset_form", SEPARATOR, "preview",
                    "dataset_details"),
    "&Run": ("resume", SEPARATOR, "draw", "load_run", "copy_run_command", "show_folder", SEPARATOR, "predict",
             "export", SEPARATOR, "delete"),
    "&View": ("colors", SEPARATOR, "show_form", "show_lower", "show_developer",
              SEPARATOR, "go_to_form", "go_to_runs", "go_to_log", SEPARATOR, "reset_layout"),
    "&Help": ("help", SEPARATOR, "add_to_menu", SEPARATOR, "about"),
}
RUN_MENU = MENUS["&Run"]
OPEN_MENU = ("open_folder", "open_file", SEPARATOR, "open_samples")
"""What the dataset's card offers to open."""


def _do(handler: Callable[..., object], action: QAction) -> None:
    """Only a switch is told whether it is on, which Qt does not say to a function that could do without."""
    if action.isCheckable():
        handler(action.isChecked())
    else:
        handler()


class Actions(QObject):
    """The commands as Qt's actions.

    Args:
        handlers: What each command does, by its name; a switch is told whether it is on.
    """

    def __init__(self, handlers: Mapping[str, Callable[..., object]], parent: QObject) -> None:
        super().__init__(parent)
        self._actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(command.text, self)
            action.setObjectName(command.id)
            action.setToolTip(command.tip)
            action.setStatusTip(command.tip)
            action.setCheckable(command.is_switch)
            if command.shortcut:
                action.setShortcut(QKeySequence(command.shortcut))
            if command.id == "quit":
                action.setMenuRole(QAction.MenuRole.QuitRole)
            action.triggered.connect(partial(_do, handlers[command.id], action))
            self._actions[command.id] = action

    def __getitem__(self, name: str) -> QAction:
        """The action of a command."""
        return self._actions[name]

    def allow(self, name: str, reason: str) -> None:
        """Grey a command out with a reason, or give it back where there is none."""
        action = self._actions[name]
        action.setEnabled(not reason)
        action.setToolTip(reason or next(one.tip for one in COMMANDS if one.id == name))

    def all(self) -> list[QAction]:
        """Every action."""
        return list(self._actions.values())

    def set_theme(self, theme: Theme) -> None:
        """Draw the icons for another theme."""
        for command in COMMANDS:
            if command.icon:
                self._actions[command.id].setIcon(icons.icon(command.icon, theme.muted, theme.line))

    def fill(self, bar: QMenuBar) -> None:
        """Make the menus."""
        for title, names in MENUS.items():
            menu = bar.addMenu(title)
            menu.setToolTipsVisible(True)
            self.fill_menu(menu, names)

    def fill_menu(self, menu: QMenu, names: tuple[str, ...]) -> None:
        """Put commands into a menu."""
        for name in names:
            if name == SEPARATOR:
                menu.addSeparator()
            elif name in SUBMENUS:
                title, inside = SUBMENUS[name]
                self.fill_menu(menu.addMenu(title), inside)
            else:
                menu.addAction(self._actions[name])
