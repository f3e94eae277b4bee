"""A connector that has everything an attacker can call, and does nothing."""

from __future__ import annotations

from typing import Any

from omni_connector import Connector, SkillDefinition, action


class Target(Connector):
    """Answers actions with what they were given."""

    name = "target"
    version = "1"
    source_types = ["web"]
    sync_modes = ["full", "incremental", "realtime"]
    skills = [SkillDefinition(id="how", title="How", description="How to.")]

    def sync(self, source_config, credentials, state, ctx):
        """Emit nothing."""

    @action
    def x(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give it back."""
        return params
