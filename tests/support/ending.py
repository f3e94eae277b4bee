"""A connector whose hooks raise what would end a process, for tests with real servers."""

from __future__ import annotations

import time

from omni_connector import ActionResponse, Connector, SkillDefinition, action


class Ending(Connector):
    name = "ending"
    version = "1.0"
    source_types = ["web"]
    skills = [
        SkillDefinition(id="late", title="Late", description="Answers late."),
        SkillDefinition(id="stop", title="Stop", description="Raises."),
    ]

    def sync(self, source_config, credentials, state, ctx):
        raise KeyboardInterrupt

    def execute_action(self, action, params, credentials):
        return ActionResponse.success(params)

    @action
    def interrupt(self):
        """Raise what Ctrl-C raises."""
        raise KeyboardInterrupt

    @action
    async def leave(self):
        """End the process, if it can."""
        raise SystemExit(3)

    @action
    def late(self):
        """Take longer than gunicorn waits."""
        time.sleep(30)

    def load_skill(self, skill_id, arguments, credentials):
        if skill_id == "late":
            time.sleep(30)  # Interrupted by gunicorn's time-out.
        raise KeyboardInterrupt

    def cancel(self, sync_run_id):
        raise SystemExit(3)
