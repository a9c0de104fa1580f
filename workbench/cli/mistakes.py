"""Which errors are the person's to mend, and how each is said."""

from __future__ import annotations

from workbench.engine.devices import DeviceError
from workbench.engine.distribution.world import LostError, PeerError, WorldError
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.registry import UnknownNameError
from workbench.exports.learner import LearnerError
from workbench.runs.files import RunFileError
from workbench.runs.store import RunBusyError
from workbench.tasks.files.errors import DataError

_SPOKEN = (ExperimentError, UnknownNameError, DataError, DeviceError, RunFileError, RunBusyError, LearnerError,
           PeerError, WorldError, LostError)


def sentence(error: Exception) -> str:
    """What to tell the person; empty where the error is a fault of the program."""
    if isinstance(error, _SPOKEN):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        if isinstance(error, FileExistsError | NotADirectoryError):
            return f"{error.filename}: what is there, or on the way there, is no folder; name another place"
        return f"{error.filename}: {error.strerror}; name another place, or give yourself the right to use this one"
    return ""
