"""Config fields that several datasets of a person's own have, declared once."""

from __future__ import annotations

from typing import Any

from workbench.experiment.fields import field


def ignored_columns() -> Any:
    """Columns of a table that are passed over."""
    return field(None, label="Columns to ignore", help="Names of columns that a learner is not to see, with commas "
                 "between them.")


def header_of_tables() -> Any:
    """Whether tables name their columns."""
    return field("auto", label="Header", help="Whether the first row names the columns.", advanced=True,
                 choices={"auto": "Automatic", "yes": "Yes", "no": "No"})


def side_of_pictures() -> Any:
    """Pixels that pictures are brought to."""
    return field(None, label="Side", unit="pixels", help="Every picture is scaled until its shorter side has this size "
                 "and cropped to a square about its centre; empty for the median shorter side, at least 16 and at most "
                 "84.", ge=8, le=512)


def color_of_pictures() -> Any:
    """Channels that pictures are read with."""
    return field("auto", label="Colour", help="Automatic keeps colour where any picture has some.",
                 choices={"auto": "Automatic", "grey": "Grey", "rgb": "Colour"})


def rotations_of_pictures() -> Any:
    """Whether turned classes count as classes."""
    return field(False, label="Rotations", help="Count every class turned by 90°, 180° and 270° as a class of its own, "
                 "on the same side of the split; for things that have an upright.")
