"""How the theme reaches Qt: one palette, one short style sheet, and the switch between light and dark."""

from __future__ import annotations

from typing import Literal, get_args

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from workbench import places
from workbench.gui.theme import DARK, LIGHT, Theme, blend

Pin = Literal["system", "light", "dark"]
PINS: tuple[Pin, ...] = get_args(Pin)


class ThemeKeeper(QObject):
    """Follows the system's light or dark scheme, or holds the one that was pinned.

    Attributes:
        theme: The theme in force.
        pin: What was pinned; "system" follows.

    Signals:
        theme_changed(Theme): Another theme is in force; palette and style sheet are set already.
    """

    theme_changed = Signal(object)

    def __init__(self, app: QApplication, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._app = app
        self.pin: Pin = "system"
        self.theme: Theme = LIGHT
        app.styleHints().colorSchemeChanged.connect(self._follow)
        self._apply(self._wanted())

    def set_pin(self, pin: Pin) -> None:
        """Pin light or dark, or follow the system again."""
        self.pin = pin
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        if pin in schemes:
            self._app.styleHints().setColorScheme(schemes[pin])
        else:
            self._app.styleHints().unsetColorScheme()
        self._follow()

    @Slot()
    def _follow(self) -> None:
        wanted = self._wanted()
        if wanted is not self.theme:
            self._apply(wanted)
            self.theme_changed.emit(wanted)

    def _wanted(self) -> Theme:
        if self.pin != "system":
            return DARK if self.pin == "dark" else LIGHT
        return DARK if self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT

    def _apply(self, theme: Theme) -> None:
        self.theme = theme
        self._app.setPalette(palette(theme))
        self._app.setStyleSheet(style_sheet(theme))


def palette(theme: Theme) -> QPalette:
    """The theme as Qt's roles."""
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.window, role.WindowText: theme.text, role.Base: theme.canvas, role.Text: theme.text,
        role.AlternateBase: theme.panel, role.Button: theme.raised, role.ButtonText: theme.text,
        role.BrightText: theme.bad, role.ToolTipBase: theme.raised, role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted, role.Highlight: theme.accent, role.HighlightedText: theme.on_accent,
        role.Accent: theme.accent, role.Link: theme.accent, role.LinkVisited: theme.accent, role.Light: theme.raised,
        role.Midlight: theme.line, role.Mid: theme.line, role.Dark: theme.line, role.Shadow: theme.line,
    }
    made = QPalette()
    for one, color in colors.items():
        made.setColor(one, QColor(color))
    faint = QColor(blend(theme.muted, theme.panel, 0.65))
    for one in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, one, faint)
    return made


def caption_font(widget: QWidget | None = None) -> QFont:
    """The smaller of the two sizes of text."""
    font = QFont(widget.font() if widget else QGuiApplication.font())
    font.setPointSizeF(font.pointSizeF() * 0.88)
    return font


def style_sheet(theme: Theme) -> str:
    """Spacing, corners and the ring of the focus; everything else is the palette's."""
    parts = (_menus, _fields, _buttons, _ticks, _tabs, _tables, _frames, _scroll_bars, _tones)
    return "".join(part(theme) for part in parts)


def _field_height() -> int:
    """Pixels that a line of text needs, with room above and below."""
    return max(26, QFontMetrics(QGuiApplication.font()).height() + 8)


def _picture(name: str, theme: Theme) -> str:
    """The icon of this name for the scheme, as the style sheet writes it."""
    scheme = "dark" if theme.is_dark else "light"
    return f'url("{(places.resources() / "icons").as_posix()}/{name}-{scheme}.svg")'


def _menus(theme: Theme) -> str:
    """Menus and tooltips."""
    return f"""
* {{ outline: none; }}
QToolTip {{ background: {theme.raised}; color: {theme.text}; border: 1px solid {theme.line}; padding: 4px 6px; }}
QMenuBar {{ background: {theme.window}; border-bottom: 1px solid {theme.line}; padding: 1px 8px; }}
QMenuBar::item {{ padding: 4px 10px; border-radius: 5px; }}
QMenuBar::item:selected {{ background: {blend(theme.accent, theme.window, 0.14)}; }}
QMenu {{ background: {theme.raised}; border: 1px solid {theme.line}; padding: 4px; }}
QMenu::item {{ padding: 5px 24px 5px 10px; border-radius: 4px; }}
QMenu::icon {{ padding-left: 8px; }}
QMenu::item:selected {{ background: {theme.accent}; color: {theme.on_accent}; }}
QMenu::item:disabled {{ color: {theme.muted}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {theme.line}; margin: 4px 6px; }}
"""


def _fields(theme: Theme) -> str:
    """What is typed into or picked from."""
    high = _field_height()
    return f"""
QLineEdit, QComboBox, QPushButton {{ background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 6px;
    padding: 0 9px; min-height: {high}px; selection-background-color: {theme.accent}; }}
QLineEdit:focus, QComboBox:focus, QPushButton:focus {{ border: 1px solid {theme.accent}; }}
QLineEdit[wrong="true"], QComboBox[wrong="true"] {{ border: 1px solid {theme.bad}; }}
QLineEdit:disabled, QComboBox:disabled, QPushButton:disabled {{ background: {theme.panel}; }}
QLineEdit[code="true"] {{ padding: 0 6px 0 9px; }}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox::down-arrow {{ image: {_picture('chevron', theme)}; width: 11px; height: 11px; }}
QComboBox QAbstractItemView {{ background: {theme.raised}; border: 1px solid {theme.line}; padding: 4px;
    selection-background-color: {theme.accent}; selection-color: {theme.on_accent}; }}
QComboBox QAbstractItemView::item {{ min-height: 26px; padding: 0 6px; }}
"""


def _buttons(theme: Theme) -> str:
    """Buttons, those of the tool kind too."""
    high = _field_height()
    return f"""
QPushButton {{ padding: 0 12px; }}
QPushButton:hover, QComboBox:hover {{ background: {blend(theme.accent, theme.raised, 0.08)}; }}
QPushButton:pressed {{ background: {blend(theme.accent, theme.raised, 0.2)}; }}
QPushButton[primary="true"] {{ background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent};
    font-weight: 600; min-height: {high + 2}px; }}
QPushButton[primary="true"]:hover {{ background: {blend(theme.text, theme.accent, 0.12)}; }}
QPushButton[primary="true"]:focus {{ border: 2px solid {theme.text}; }}
QPushButton[primary="true"]:disabled {{ background: {theme.line}; color: {theme.muted}; border-color: {theme.line}; }}
QPushButton[reason="true"] {{ text-align: left; padding: 0; border: none; background: transparent;
    color: {theme.bad}; min-height: 18px; }}
QPushButton[reason="true"]:focus {{ text-decoration: underline; }}
QPushButton[opensMenu="true"] {{ padding: 0 24px 0 10px; }}
QPushButton::menu-indicator {{ image: {_picture('chevron', theme)}; width: 11px; height: 11px;
    subcontrol-origin: padding; subcontrol-position: center right; right: 8px; }}
QPushButton[tall="true"] {{ min-height: {high + 2}px; padding: 0 8px; }}
QToolButton {{ border: 1px solid transparent; border-radius: 5px; padding: 3px; background: transparent; }}
QToolButton:hover {{ background: {blend(theme.accent, theme.panel, 0.12)}; }}
QToolButton:focus {{ border-color: {theme.accent}; }}
"""


def _ticks(theme: Theme) -> str:
    """Boxes to tick."""
    return f"""
QCheckBox {{ spacing: 8px; min-height: 26px; }}
QCheckBox::indicator, QTableView::indicator {{ width: 14px; height: 14px; border-radius: 4px;
    border: 1px solid {blend(theme.muted, theme.raised, 0.7)}; background: {theme.raised}; }}
QCheckBox::indicator:checked, QTableView::indicator:checked {{ background: {theme.accent};
    border-color: {theme.accent}; image: {_picture('check-on-accent', theme)}; }}
QCheckBox:focus {{ color: {theme.accent}; }}
"""


def _tabs(theme: Theme) -> str:
    """Tabs and what they hold."""
    return f"""
QScrollArea, QTextBrowser {{ border: none; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {theme.line}; top: -1px; }}
QTabBar {{ background: transparent; qproperty-drawBase: 0; }}
QTabBar::tab {{ padding: 7px 12px 6px 12px; margin: 0; color: {theme.muted}; background: transparent; border: none;
    border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {theme.text}; font-weight: 600; border-bottom: 2px solid {theme.accent}; }}
QTabBar::tab:hover {{ color: {theme.text}; }}
QTabBar::tab:focus {{ background: {blend(theme.accent, theme.window, 0.12)}; }}
"""


def _tables(theme: Theme) -> str:
    """Tables and the log; the arrow of a sorted column points up where the smallest stands on top, unlike Fusion's."""
    return f"""
QTableView {{ border: none; background: {theme.canvas}; gridline-color: {theme.line}; }}
QTableView::item {{ border-bottom: 1px solid {theme.line}; padding: 0 4px; }}
QTableView::item:selected {{ background: {blend(theme.accent, theme.canvas, 0.16)}; }}
QHeaderView {{ background: {theme.canvas}; }}
QHeaderView::section {{ background: {theme.canvas}; color: {theme.muted}; border: none; padding: 6px 7px;
    border-bottom: 1px solid {theme.line}; font-weight: 600; }}
QHeaderView::up-arrow {{ image: {_picture('chevron-up', theme)}; width: 9px; height: 9px;
    subcontrol-position: top center; top: 1px; }}
QHeaderView::down-arrow {{ image: {_picture('chevron', theme)}; width: 9px; height: 9px;
    subcontrol-position: top center; top: 1px; }}
QPlainTextEdit {{ border: none; background: {theme.canvas}; padding: 4px 8px; }}
"""


def _frames(theme: Theme) -> str:
    """Panes, cards and the bars at the edge of the window."""
    return f"""
QMainWindow::separator {{ background: {theme.line}; width: 1px; height: 1px; }}
QSplitter::handle {{ background: {theme.line}; }}
QDockWidget {{ titlebar-close-icon: {_picture('cross', theme)}; titlebar-normal-icon: {_picture('float', theme)}; }}
QDockWidget::title {{ padding: 6px 0 0 12px; }}
QStatusBar {{ background: {theme.window}; border-top: 1px solid {theme.line}; }}
QStatusBar::item {{ border: none; }}
QProgressBar {{ border: none; border-radius: 3px; background: {theme.line}; max-height: 6px; min-height: 6px; }}
QProgressBar::chunk {{ border-radius: 3px; background: {theme.accent}; }}
QFrame#card {{ background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 8px; }}
QFrame#card QPushButton, QFrame#card QComboBox {{ background: {theme.raised}; }}
QFrame#notice {{ background: {theme.raised}; border: 1px solid {theme.line}; border-radius: 8px; }}
QFrame#notice QPushButton {{ background: {theme.raised}; }}
QWidget#formPanel, QWidget#formContent {{ background: {theme.panel}; }}
"""


def _scroll_bars(theme: Theme) -> str:
    """Thin bars that stay in the background."""
    return f"""
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 2px; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 2px; }}
QScrollBar::handle {{ background: {blend(theme.muted, theme.panel, 0.35)}; border-radius: 3px; min-height: 24px;
    min-width: 24px; }}
QScrollBar::handle:hover {{ background: {theme.muted}; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{ width: 0; height: 0;
    background: transparent; }}
"""


def _tones(theme: Theme) -> str:
    """Labels by what they say."""
    return f"""
QLabel[tone="muted"] {{ color: {theme.muted}; }}
QLabel[tone="bad"] {{ color: {theme.bad}; }}
QLabel[tone="warn"] {{ color: {theme.warn}; }}
QLabel[tone="good"] {{ color: {theme.good}; }}
"""


def set_tone(widget: QWidget, tone: str) -> None:
    """Colour a label by what it says: "", muted, good, warn or bad."""
    set_property(widget, "tone", tone)


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet looks at, and let it look again."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
