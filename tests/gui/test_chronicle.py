"""What the log says of an event, and what of it stands before the person."""

from __future__ import annotations

import pytest

from workbench.engine.events import Noticed
from workbench.gui.chronicle import spoken


@pytest.mark.parametrize(("is_warning", "tone"), [(True, "warn"), (False, "")])
def test_only_what_is_not_as_it_was_asked_for_warns(is_warning: bool, tone: str):
    assert list(spoken(Noticed(3, "memory ran out", is_warning))) == [("step 3: memory ran out", tone)]
