"""A connector and its source, as a command has them at hand: loaded, converted, with secrets masked and signals handled."""

import contextlib
from collections.abc import Iterator
from typing import Any

from attrs import evolve, frozen

from omni_connector.cli.inputs import SourceInputs, doubtful
from omni_connector.cli.logs import BriefLog
from omni_connector.cli.output import Output
from omni_connector.cli.signals import StopSignals
from omni_connector.cli.source import StoredSource
from omni_connector.cli.typed_inputs import typed_inputs
from omni_connector.connector_base import ConnectorBase
from omni_connector.masking import SecretScope, protect_process, secrets_in, secrets_in_settings
from omni_connector.target import FoundConnector, find_connector


@frozen(kw_only=True)
class Session:
    """What a command works with.

    Attributes:
        found: what the target names.
        connector: one that was made of it.
        inputs: its source; texts are converted to what the connector declares.
        output: where the command speaks.
        signals: say when to stop.
    """

    found: FoundConnector
    connector: ConnectorBase
    inputs: SourceInputs
    output: Output
    signals: StopSignals

    def converted(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return another configuration of the connector, converted as well."""
        return typed_inputs(self.connector, (config, self.inputs.credentials), ())[0]


@contextlib.contextmanager
def session(
    target: str,
    inputs: SourceInputs,
    output: Output,
    *,
    log: contextlib.AbstractContextManager[BriefLog | None],
    stored: StoredSource | None = None,
) -> Iterator[Session]:
    """Load a connector and convert what was typed for its source.

    Args:
        target: names the connector.
        inputs: its source as it was typed.
        output: where the command speaks.
        log: shows the log while it is entered.
        stored: where comes from what was not typed; nowhere if None.

    Raises:
        ConfigurationError: the connector cannot be made, or does not take these inputs.
    """
    protect_process()
    with contextlib.ExitStack() as stack:
        stack.enter_context(SecretScope(secrets_in(inputs.credentials) | secrets_in_settings(inputs.config)))
        stack.enter_context(output.apart())
        shown = stack.enter_context(log)
        signals = stack.enter_context(StopSignals())
        found = find_connector(target)
        connector = found.make()
        if shown is not None:
            shown.show_more_of(type(connector).__module__)
        known = None if stored is None else stored.find(connector)
        if stored is not None and known is not None:
            inputs = inputs.over(known.config, stored.credentials(known))
            stack.enter_context(SecretScope(secrets_in(inputs.credentials)))
        config, given = typed_inputs(connector, (inputs.config, inputs.credentials), inputs.assignments)
        stack.enter_context(SecretScope(secrets_in_settings(config, connector.masked_settings)))
        for note in doubtful(inputs.assignments) if connector.declared_types.config is None else ():
            output.say(note, "yellow")
        yield Session(
            found=found,
            connector=connector,
            inputs=evolve(inputs, config=config, credentials=given),
            output=output,
            signals=signals,
        )
