"""A manager with faults: it refuses, resets, delays, answers nonsense, or does not answer (``docs/how-to/testing-with-faults.md``).

``FaultyManager`` is a proxy in front of an embedded manager (or any other) that breaks the calls that its plan names:

    def test_an_answer_that_is_lost_costs_nothing(faulty_manager, run_sync):
        faulty_manager.plan.add("events", LostAnswer(), calls=1)
        faulty_manager.plan.add("checkpoint", Answer(503, headers={"Retry-After": "0"}), calls=(1, 2))
        faulty_manager.plan.add_random(Reset(), seed=7, rate=0.1, where="content")

        result = run_sync(Notes(), client=faulty_manager.client())

        assert result.index["todo"].content == "milk, bread"
        assert [call.fault for call in faulty_manager.calls_of("events")] == [LostAnswer(), None]

Which call meets which fault depends on nothing but the plan and the order of the calls of one endpoint.
"""

from omni_connector.testing.faults.connection import ProxiedCall
from omni_connector.testing.faults.kinds import (
    Answer,
    Delay,
    Do,
    Fault,
    GoAway,
    Hang,
    LostAnswer,
    NotJson,
    Refuse,
    Reset,
    Truncated,
)
from omni_connector.testing.faults.plan import ENDPOINTS, FaultPlan
from omni_connector.testing.faults.proxy import QUICK, FaultyManager

__all__ = [
    "ENDPOINTS",
    "QUICK",
    "Answer",
    "Delay",
    "Do",
    "Fault",
    "FaultPlan",
    "FaultyManager",
    "GoAway",
    "Hang",
    "LostAnswer",
    "NotJson",
    "ProxiedCall",
    "Refuse",
    "Reset",
    "Truncated",
]
