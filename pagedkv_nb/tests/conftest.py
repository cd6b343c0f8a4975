"""What the tests share: reproducible hypothesis runs and the optional shared folder."""
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("study", deadline=None, derandomize=True, database=None)
settings.load_profile("study")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shared():
    """The folder with the full traces and recordings; it is not part of the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("../shared (full traces and recordings) is not here")
    return folder
