"""The real manager that the contract suite is pointed at, from the environment, read when a test module is loaded.

=================================  ==========================================================================
variable                           meaning
=================================  ==========================================================================
``OMNI_CONTRACT_MANAGER_URL``      its address; unset, the embedded managers are taken
``OMNI_CONTRACT_SOURCE_ID``        an active source there, with credentials, of a type that nothing else serves
``OMNI_CONTRACT_USER_ID``          an administrator there; unset, actions of users are left out
``OMNI_CONTRACT_CONNECTOR_HOST``   host by which it reaches this machine; 127.0.0.1 unless set
=================================  ==========================================================================
"""

from __future__ import annotations

import os

from support.contract_scenario import Target

_PREFIX = "OMNI_CONTRACT_"
_GIVEN = {name: value for name, value in os.environ.items() if name.startswith(_PREFIX)}
REAL = f"{_PREFIX}MANAGER_URL" in _GIVEN


def real_target() -> Target:
    """Return the manager that the environment names."""
    return Target(
        url=_GIVEN[f"{_PREFIX}MANAGER_URL"].rstrip("/"),
        source_id=_GIVEN[f"{_PREFIX}SOURCE_ID"],
        host=_GIVEN.get(f"{_PREFIX}CONNECTOR_HOST", "127.0.0.1"),
        user_id=_GIVEN.get(f"{_PREFIX}USER_ID"),
    )
