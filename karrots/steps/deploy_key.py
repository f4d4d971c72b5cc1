"""A deploy key of the cluster's own: made at the git host before the first sync, removed when it is destroyed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from karrots.adapters import flux
from karrots.adapters.kube import group
from karrots.errors import Failed
from karrots.fleet import git_access
from karrots.pipeline import Done, Needed
from karrots.report.text import count_text

if TYPE_CHECKING:
    from karrots.adapters.git_host import Keys
    from karrots.adapters.kube import Kube
    from karrots.spec.fleet import DeployKey
    from karrots.steps.context import Context

SECRET = f"/api/v1/namespaces/{flux.NAMESPACE}/secrets/{flux.GIT_SECRET}"
COUNTED = "deploy keys"


def wanted_of(ctx: Context) -> git_access.Wanted:
    workspace = ctx.workspace
    url = workspace.repo.remote(workspace.remote) if workspace.remote else None
    return git_access.Wanted(workspace.settings.git.access, url, workspace.repo.root)


def asked_for(ctx: Context) -> DeployKey | None:
    """None where the cluster reads git in another way; those of the engine read the repository on this computer."""
    return None if ctx.provider.NAME == "local" else ctx.workspace.settings.git.access.deploy_key


def title(ctx: Context) -> str:
    """By which it is found again, also when nobody knows any more what its id was."""
    return f"karrots {ctx.record.name} {ctx.record.id}"


def keys_of(ctx: Context, spec: DeployKey) -> Keys:
    return git_access.deploy_keys(wanted_of(ctx), spec)


def own_access(ctx: Context) -> flux.GitAccess | None:
    """Of a cluster that has a key of its own. Raises Failed before it was given one."""
    spec = asked_for(ctx)
    if spec is None:
        return None
    found = live(ctx, spec, ctx.api())
    if found is None:
        raise Failed(f"'{ctx.record.name}' has no deploy key yet", hint=f"karrots apply {ctx.record.name}")
    return found


def live(ctx: Context, spec: DeployKey, kube: Kube) -> flux.GitAccess | None:
    """As the cluster has it; None before it was given one."""
    found = group(kube.get(SECRET), "data").get("identity")
    return None if not isinstance(found, str) else _access(ctx, spec, base64.b64decode(found).decode())


def _access(ctx: Context, spec: DeployKey, private: str) -> flux.GitAccess:
    return git_access.with_key(wanted_of(ctx), spec, private)


def may_be_asked(ctx: Context) -> None:
    """Raises what the host says, before anything is taken away."""
    spec = asked_for(ctx)
    if spec is not None:
        keys_of(ctx, spec).titled(title(ctx))


class GiveDeployKey:
    """The host knows it before Flux has it. One that Flux never got is made anew."""

    name = "git-key"
    title = "a key for git"

    def check(self, ctx: Context) -> Done | Needed:
        spec = asked_for(ctx)
        if spec is None:
            return Done("none of its own")
        ctx.git = live(ctx, spec, ctx.api())
        if ctx.git is None:
            return Needed("a deploy key")
        known = {key.public for key in keys_of(ctx, spec).titled(title(ctx))}
        mine = " ".join(ctx.git.secret["identity.pub"].split()[:2])
        return Done("at its host") if mine in known else Needed("a deploy key: its host knows it no more")

    def run(self, ctx: Context) -> str:
        spec = asked_for(ctx)
        if spec is None:
            return ""
        private = git_access.new_key()
        keys = keys_of(ctx, spec)
        for old in keys.titled(title(ctx)):
            keys.remove(old)
        keys.add(title(ctx), git_access.public_key(private))
        ctx.git = _access(ctx, spec, private)
        flux.give_git_secret(ctx.api(), ctx.git)
        return f"'{title(ctx)}' at {keys.kind}"


class RemoveDeployKey:
    """After the cluster, so that nothing is left that could use it; the receipt counts it."""

    name = "git-key"
    title = "remove its key for git"

    def check(self, ctx: Context) -> Done | Needed:
        spec = asked_for(ctx)
        if spec is None:
            return Done("none of its own")
        left = keys_of(ctx, spec).titled(title(ctx))
        ctx.receipt.setdefault("looked_for", {}).setdefault(COUNTED, len(left))
        return Needed(count_text(len(left), "deploy key")) if left else Done("none at its host")

    def run(self, ctx: Context) -> None:
        spec = asked_for(ctx)
        if spec is not None:
            keys = keys_of(ctx, spec)
            for key in keys.titled(title(ctx)):
                keys.remove(key)
