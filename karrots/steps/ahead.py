"""What goes into an API server while Terraform still works: the fence on the engine; Flux and its sync in a cloud."""

from __future__ import annotations

import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from karrots.adapters import flux, flux_install
from karrots.adapters import terraform_events as events
from karrots.adapters.kube import Kube
from karrots.errors import KarrotsError
from karrots.fleet import identity
from karrots.spec import flux_components
from karrots.steps.content import committed
from karrots.steps.deploy_key import asked_for
from karrots.steps.fencing import Fence
from karrots.steps.secrets import Wanted
from karrots.steps.syncing import API_SECONDS, identity_of, lets_in, serves, sync_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from karrots.adapters.terraform_events import Event
    from karrots.spec.flux_components import Components
    from karrots.steps.context import Context

LOOK_SECONDS = 0.5
END_SECONDS = 60.0


class Ahead(Protocol):
    """Whatever keeps it from its end, the steps that come later do it, and tell."""

    def told(self, event: Event, /) -> None:
        """Terraform's events, as they come."""

    def end(self) -> None:
        """Terraform is done."""


@dataclass(frozen=True)
class FenceAhead:
    """An API server takes new policies up once a second; that second passes while the engine starts the rest."""

    ctx: Context

    def told(self, event: Event) -> None:
        match event:
            case events.ProvisionerSaid(text=text) if text.startswith(self.ctx.provider.ANSWERS):
                self._put_up()

    def end(self) -> None: ...

    def _put_up(self) -> None:
        ctx = self.ctx
        with suppress(KarrotsError, OSError):
            access = ctx.provider.access(ctx.record, {}, ctx.section)
            if access is not None:
                with closing(Kube(access, timeout=API_SECONDS)) as kube:
                    Fence.of(ctx).put_up(kube)
                ctx.run.write("ahead", step="fence")


@dataclass
class FluxAhead:
    """One try beside Terraform's apply, from the moment when the control plane is there."""

    ctx: Context
    manifest: bytes
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def told(self, event: Event) -> None:
        match event:
            case events.ResourceDone(address=address) if address in self.ctx.provider.CLUSTER_RESOURCES:
                self._begin()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._try, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """One that has come so far as to apply may finish, for a while."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _try(self) -> None:
        began = time.monotonic()
        with suppress(KarrotsError, OSError):
            components = flux_components.read(self.manifest, flux_components.FILE)
            access = self.ctx.provider.access(self.ctx.record, {}, self.ctx.section)
            if access is None:
                return
            with closing(Kube(access, timeout=10)) as kube:
                if self._until(lambda: lets_in(kube)) and flux_install.installed(kube) is None:
                    self._bring(kube, components)
                    self.ctx.run.write("ahead", step="flux", seconds=time.monotonic() - began)

    def _bring(self, kube: Kube, components: Components) -> None:
        flux_install.install(kube.access, components, lambda _: None)
        if self._is_told() and not asks_for_keys(self.ctx) and self._until(lambda: serves(kube)) and self._fenced(kube):
            flux.install_sync(kube, sync_of(self.ctx), identity_of(self.ctx, kube))

    def _is_told(self) -> bool:
        """Whether content asks for nothing that only Terraform tells: a chart would begin with an empty word."""
        files = committed(self.ctx.workspace.repo, self.ctx.content, self.ctx.content_directory)
        return not any(name.encode() in data for data in files.values() for name in identity.OF_THE_CLOUD)

    def _fenced(self, kube: Kube) -> bool:
        """A copy follows nothing before its fence is in force."""
        if self.ctx.record.parent is None:
            return True
        fence = Fence.of(self.ctx)
        fence.put_up(kube)
        return self._until(lambda: fence.holds(kube)) and self._until(lambda: fence.settle(kube))

    def _until(self, true: Callable[[], bool]) -> bool:
        """Who may log in, and which kinds are served, is so a moment after the control plane, or the kind, is there."""
        while not self._over.is_set():
            with suppress(KarrotsError):
                if true():
                    return True
            self._over.wait(LOOK_SECONDS)
        return False


def asks_for_keys(ctx: Context) -> bool:
    """Whether something of the parent's has to be there before the first sync: a step brings it."""
    return asked_for(ctx) is not None or Wanted.of(ctx).of_parent
