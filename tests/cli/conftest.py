from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import TINY, say

RUN = "maml-sinusoids-0001"


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one finished run of sinusoids."""
    folder = tmp_path_factory.mktemp("runs")
    assert say("run", *TINY, "--runs", folder).status == 0
    return folder
