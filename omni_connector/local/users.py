"""Users of the manager: owners of sources and actors of actions."""

from __future__ import annotations

from omni_connector.local.clock import Clock
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.ids import new_ulid
from omni_connector.local.rows import UserRow
from omni_connector.local.store import Store, storable
from omni_connector.local.timestamps import to_microseconds


class Users:
    """The ``users`` table."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put(self, email: str, *, is_admin: bool | None = None, user_id: str | None = None) -> UserRow:
        """Return the user with this address, added if need be; ``is_admin`` None keeps what it is.

        A new user is an administrator by default.
        """
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO users (id, email, is_admin, created_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (email) DO UPDATE SET is_admin = coalesce(?, is_admin)",
                (
                    storable(user_id or new_ulid()),
                    storable(email),
                    True if is_admin is None else is_admin,
                    to_microseconds(self._clock.now()),
                    is_admin,
                ),
            )
            row = db.execute("SELECT * FROM users WHERE email = ?", (email,)).fetchone()
        return UserRow.read(row)

    def get(self, user_id: str) -> UserRow:
        """Return the user; raises ``LocalManagerError`` (404) for an unknown one."""
        with self._store.lookup() as db:
            row = db.execute("SELECT * FROM users WHERE id = ?", (storable(user_id),)).fetchone()
        if row is None:
            raise LocalManagerError(404, f"User not found: {user_id}")
        return UserRow.read(row)

    def email_of_creator(self, source_id: str) -> str:
        """Return the address of the user who created the source; raises ``LocalManagerError`` (500) if unknown."""
        with self._store.lookup() as db:
            row = db.execute(
                "SELECT u.email FROM sources s JOIN users u ON u.id = s.created_by WHERE s.id = ?",
                (storable(source_id),),
            ).fetchone()
        if row is None:
            reason = "no rows returned by a query that expected to return at least one row"
            raise LocalManagerError(500, f"Failed to get user email: {reason}")
        return str(row["email"])
