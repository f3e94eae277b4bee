"""A connector that is right, and ones that are wrong in one way each."""

import datetime as dt
import threading
import time

from omni_connector import Connector, Document, DocumentMetadata, DocumentPermissions, SyncCancelledError

ANN = "ann@example.com"


class Right(Connector):
    """Reads ``notes``: a folder of the test, as a dict of texts by id, in pages of two."""

    name = "notes"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    notes = {}

    def sync(self, config, credentials, state, ctx):
        known = self.known(state)
        for count, name in enumerate(self.listed(), start=1):
            ctx.raise_if_cancelled()
            ctx.increment_scanned()
            text = self.notes[name]
            if known.get(name) != text:
                ctx.emit(self.document(name, text, config, credentials))
                known[name] = text
            if count % 2 == 0:
                self.save(ctx, known)
        self.delete(ctx, known)
        ctx.complete(new_state=self.after(ctx, known))

    def check_connection(self, config, credentials):
        return None

    def known(self, state):
        return dict(state["known"]) if state else {}

    def listed(self):
        return sorted(self.notes)

    def document(self, name, text, config, credentials):
        return Document(
            external_id=name,
            title=name,
            content=text,
            metadata=DocumentMetadata(updated_at=self.changed()),
            permissions=self.permissions(),
        )

    def changed(self):
        return dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)

    def permissions(self):
        return DocumentPermissions(users=[ANN])

    def save(self, ctx, known):
        ctx.save_state(self.after(ctx, known))

    def after(self, ctx, known):
        for refused in ctx.flush():
            known.pop(refused.document_id, None)
        return {"known": known}

    def delete(self, ctx, known):
        for name in [name for name in known if name not in self.notes]:
            ctx.emit_deleted(name)
            del known[name]


class BadMode(Right):
    sync_modes = ["full", "sometimes"]


class CannotConnect(Right):
    def check_connection(self, config, credentials):
        return "The server does not answer."


class Breaks(Right):
    def listed(self):
        raise ValueError("the source is not there")


class OtherIds(Right):
    number = 0

    def document(self, name, *rest):
        OtherIds.number += 1
        return super().document(f"{name}-{OtherIds.number}", *rest)


class TimeInText(Right):
    def document(self, name, text, *rest):
        return super().document(name, f"{text} at {time.perf_counter()}", *rest)


class OtherOrder(Right):
    runs = 0

    def listed(self):
        OtherOrder.runs += 1
        return sorted(self.notes, reverse=OtherOrder.runs % 2 == 0)


class SameIds(Right):
    def document(self, name, *rest):
        return super().document("note", *rest)


class ForgetsState(Right):
    def known(self, state):
        return {}


class DeletesUnchanged(Right):
    def sync(self, config, credentials, state, ctx):
        if state:
            ctx.emit_deleted(self.listed()[0])
        super().sync(config, credentials, state, ctx)


class CannotReadItsState(Right):
    def save(self, ctx, known):
        ctx.save_state({"half": known})


class SkipsAfterResume(Right):
    def document(self, name, text, *rest):
        return super().document(name, f"{text} ({getattr(self, 'resumed', 'new')})", *rest)

    def known(self, state):
        self.resumed = "resumed" if state else "new"
        return super().known(state)


class SavesBeforeItEmits(Right):
    def sync(self, config, credentials, state, ctx):
        names = self.listed()
        for start in range(state["next"] if state else 0, len(names), 2):
            ctx.save_state({"next": start + 2})
            for name in names[start : start + 2]:
                ctx.emit(self.document(name, self.notes[name], config, credentials))


class CursorInConnectorState(Right):
    sync_modes = ["full"]

    def sync(self, config, credentials, state, ctx):
        for name in self.listed()[(ctx.connector_state or {}).get("next", 0) :]:
            ctx.save_connector_state({"next": self.listed().index(name) + 1})
            ctx.emit(self.document(name, self.notes[name], config, credentials))
        ctx.save_connector_state({"next": 0})


class TidiesForLong(Right):
    def sync(self, config, credentials, state, ctx):
        try:
            super().sync(config, credentials, state, ctx)
        except SyncCancelledError:
            time.sleep(2.5)


class Listens(Right):
    sync_modes = ["realtime"]

    def sync(self, config, credentials, state, ctx):
        while not ctx.is_cancelled():
            ctx.sleep(0.1)


class ListensDeaf(Listens):
    def sync(self, config, credentials, state, ctx):
        while not ctx.is_cancelled():
            time.sleep(4)


class LeavesThread(Right):
    stop = threading.Event()
    started = []

    def sync(self, config, credentials, state, ctx):
        thread = threading.Thread(target=self.work)
        self.started.append(thread)
        thread.start()
        super().sync(config, credentials, state, ctx)

    def work(self):
        self.stop.wait(10)


class RemembersInMemory(Right):
    def sync(self, config, credentials, state, ctx):
        self.seen = getattr(self, "seen", set())
        for name in self.listed():
            if name not in self.seen:
                self.seen.add(name)
                ctx.emit(self.document(name, self.notes[name], config, credentials))


class Public(Right):
    def permissions(self):
        return DocumentPermissions(public=True)


class ForNobody(Right):
    def permissions(self):
        return DocumentPermissions()


class UnknownGroup(Right):
    def permissions(self):
        return DocumentPermissions(groups=["crew@example.com"])


class MixedCase(Right):
    def permissions(self):
        permissions = DocumentPermissions()
        permissions.users.append("Ann@Example.com")
        return permissions


class NoAddress(Right):
    def permissions(self):
        return DocumentPermissions(users=["ann"])


class NaiveDate(Right):
    def changed(self):
        return dt.datetime(2026, 1, 5, 12)  # noqa: DTZ001


class LocalTime(Right):
    def changed(self):
        return dt.datetime.fromtimestamp(1_780_000_000).replace(tzinfo=dt.UTC)  # noqa: DTZ006


class Milliseconds(Right):
    def changed(self):
        return dt.datetime.fromtimestamp(1_780_000_000 * 5, tz=dt.UTC)


class HoldsAll(Right):
    sync_modes = ["full"]

    def sync(self, config, credentials, state, ctx):
        for each in [self.document(str(n), f"{n} " * 100_000, config, credentials) for n in range(60)]:
            ctx.emit(each)


class Streams(HoldsAll):
    def sync(self, config, credentials, state, ctx):
        for n in range(config["documents"] if credentials else 0):
            ctx.emit(self.document(str(n), f"{n} " * 100_000, config, credentials))


class HasTimeOut(Right):
    def sync(self, *given):
        self.started = time.monotonic()
        super().sync(*given)

    def save(self, ctx, known):
        super().save(ctx, known)
        if time.monotonic() - self.started > 1:
            raise TimeoutError("the sync takes too long")


class ForgetsRefused(Right):
    def after(self, ctx, known):
        return {"known": known}


class TokenInDocument(Right):
    def document(self, name, text, config, credentials):
        return super().document(name, f"{text} {credentials['token']}", config, credentials)


class TokenInState(Right):
    def after(self, ctx, known):
        return {**super().after(ctx, known), "token": "t0p-s3cret-0815"}


class PrintsToken(Right):
    def sync(self, config, credentials, state, ctx):
        print("signing in with", credentials["token"])  # noqa: T201
        super().sync(config, credentials, state, ctx)


class DeletesNothing(Right):
    def delete(self, ctx, known):
        pass


class DeletesInFullOnly(Right):
    def sync(self, config, credentials, state, ctx):
        self.gone = set() if state else set((ctx.checkpoint or {}).get("known", ())) - set(self.notes)
        super().sync(config, credentials, state, ctx)

    def delete(self, ctx, known):
        for name in self.gone:
            ctx.emit_deleted(name)


class DeletesOthers(Right):
    def delete(self, ctx, known):
        if len(self.notes) < 6:
            for name in self.listed()[:2]:
                ctx.emit_deleted(name)
        super().delete(ctx, known)
