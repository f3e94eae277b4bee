"""What the tests of the bridges share."""

import pytest


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id):
    """A folder of this session, the same for all workers of xdist."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent
