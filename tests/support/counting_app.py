"""The same connector as an application, for servers that take one."""

from __future__ import annotations

from omni_connector.server import create_app
from support.counting import Counting

app = create_app(Counting())
