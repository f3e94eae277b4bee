"""A connector's manifest, checked by our own rules, which say everything, and by those of the embedded manager."""

from omni_connector.config import Settings
from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manifest_shapes import MANIFEST
from omni_connector.local.registry import check_manifest
from omni_connector.local.shapes import ShapeError
from omni_connector.models.json_values import JsonValue
from omni_connector.server import create_app, services

SOMEWHERE = "http://localhost"
"""An address to check with; the manifest shows none, because none is known yet."""


def checked_manifest(connector: ConnectorBase) -> dict[str, JsonValue]:
    """Return the manifest as the connector would register it, with an empty ``connector_url``.

    Raises:
        ConfigurationError: a manager would refuse it; says all that is wrong.
    """
    app = create_app(connector, settings=Settings(manager_url=SOMEWHERE), register=False)
    service = next(iter(services(app).values()))
    try:
        wire = service.checked_manifest()
        check_manifest(MANIFEST({**wire, "connector_url": SOMEWHERE}, ""))
    except (ShapeError, LocalManagerError) as error:
        raise ConfigurationError(f"{connector.name} cannot be announced: {error}") from error
    finally:
        service.close()
    return wire
