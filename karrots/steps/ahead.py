"""Flux goes into a cloud's API server while Terraform still makes the nodes that its pods will run on."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.adapters import flux_install
from karrots.adapters.kube import Kube
from karrots.errors import KarrotsError
from karrots.spec import flux_components

if TYPE_CHECKING:
    from karrots.adapters.kube import Access
    from karrots.spec.flux_components import Components
    from karrots.steps.context import Context

LOOK_SECONDS = 0.5


@dataclass
class FluxAhead:
    """One try beside Terraform's apply. Whatever keeps it from its end, the step `flux` does it, and tells."""

    ctx: Context
    manifest: bytes
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """The control plane is there."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._try, daemon=True)
            self._thread.start()

    def end(self, seconds: float) -> None:
        """Terraform is done: one that has come so far as to apply may finish, in so many seconds."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _try(self) -> None:
        began = time.monotonic()
        with suppress(KarrotsError, OSError):
            components = flux_components.read(self.manifest, flux_components.FILE)
            access = self.ctx.provider.access(self.ctx.record, {}, self.ctx.section)
            if access is not None and self._answers(access):
                self._install(access, components)
                self.ctx.run.write("ahead", step="flux", seconds=time.monotonic() - began)

    def _answers(self, access: Access) -> bool:
        """Who may log in is set a moment after the control plane is there."""
        kube = Kube(access, timeout=10)
        try:
            while not self._over.is_set():
                with suppress(KarrotsError):
                    if kube.request("GET", "/api/v1/namespaces?limit=1")[0] == 200:
                        return flux_install.installed(kube) is None
                self._over.wait(LOOK_SECONDS)
        finally:
            kube.close()
        return False

    def _install(self, access: Access, components: Components) -> None:
        flux_install.install(access, components, lambda _: None)
