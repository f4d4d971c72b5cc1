"""Pairs of sides by seed: objects, differences that are planted in them, and changes that mean nothing."""

from __future__ import annotations

import base64
import copy
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Value = dict[str, Any]

IDENTITIES = (
    {"cluster_name": "qa", "cluster_domain": "qa.example.com"},
    {"cluster_name": "prod-2", "cluster_domain": "live.example.org"},
)
WORDS = ("alpha", "beta", "gamma", "delta", "omega", "aqua", "produce")


@dataclass
class Made:
    """`planted` holds name of the object and path of each difference; `secrets` what must not be seen."""

    a: list[Value] = field(default_factory=list)
    b: list[Value] = field(default_factory=list)
    planted: set[tuple[str, str]] = field(default_factory=set)
    secrets: list[str] = field(default_factory=list)


def pair(seed: int) -> Made:
    dice = random.Random(seed)  # noqa: S311  (dice, no secret)
    made = Made()
    for number in range(dice.randint(1, 5)):
        _object(dice, made, f"{dice.choice(WORDS)}-{number}")
    dice.shuffle(made.b)
    return made


def _object(dice: random.Random, made: Made, name: str) -> None:
    base = dice.choice(_BASES)(dice, name, made)
    fate = dice.random()
    if fate < 0.08:
        (made.a if dice.random() < 0.5 else made.b).append(base)
        made.planted.add((name, ""))
        return
    left, right = copy.deepcopy(base), copy.deepcopy(base)
    for plant in dice.sample(_PLANTED, dice.randint(0, 3)):
        path = plant(dice, right)
        if path:
            made.planted.add((name, path))
    for change in dice.sample(_MEANINGLESS, dice.randint(0, len(_MEANINGLESS))):
        change(dice, left, right)
    made.a.append(left)
    made.b.append(right)


def _deployment(dice: random.Random, name: str, made: Made) -> Value:
    containers = [_container(dice, word) for word in dice.sample(WORDS, dice.randint(1, 3))]
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": dict(labels)},
        "spec": {
            "replicas": dice.randint(2, 9), "selector": {"matchLabels": dict(labels)},
            "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": containers}},
        },
    }  # fmt: skip


def _container(dice: random.Random, name: str) -> Value:
    return {
        "name": name, "image": f"registry.example.com/{name}:{dice.randint(1, 99)}",
        "env": [{"name": word.upper(), "value": dice.choice(WORDS)} for word in dice.sample(WORDS, dice.randint(1, 4))],
        "args": [f"--{word}" for word in dice.sample(WORDS, dice.randint(1, 4))],
        "resources": {"limits": {"cpu": f"{dice.randint(1, 9)}", "memory": f"{dice.randint(1, 9)}Gi"}},
        "ports": [{"containerPort": port} for port in dice.sample(range(8000, 8010), dice.randint(1, 3))],
    }  # fmt: skip


def _config_map(dice: random.Random, name: str, made: Made) -> Value:
    data = {word: "\n".join(dice.choices(WORDS, k=dice.randint(1, 5))) for word in dice.sample(WORDS, 4)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}


def _secret(dice: random.Random, name: str, made: Made) -> Value:
    texts = {word: f"hidden-{dice.getrandbits(48):x}" for word in dice.sample(WORDS, 3)}
    made.secrets += texts.values()
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    made.secrets += data.values()
    metadata = {"name": name, "namespace": "shop", "annotations": {"example.com/copy": str(texts)}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _widget(dice: random.Random, name: str, made: Made) -> Value:
    steps = [{"name": word, "run": dice.choice(WORDS)} for word in dice.sample(WORDS, 3)]
    spec = {
        "size": dice.randint(1, 9),
        "steps": steps,
        "words": dice.sample(WORDS, 3),
        "deep": {"deeper": {"on": True}},
    }
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": spec}


def _role(dice: random.Random, name: str, made: Made) -> Value:
    rules = [{"apiGroups": [""], "resources": [word], "verbs": ["get", "list"]} for word in dice.sample(WORDS, 3)]
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}


_BASES: tuple[Callable[[random.Random, str, Made], Value], ...] = (
    _deployment, _deployment, _config_map, _secret, _widget, _role,
)  # fmt: skip


# Planted: each changes `b` and gives the path under which it must be told, '' when it does not fit the object.


def _image(dice: random.Random, value: Value) -> str:
    containers = _containers(value)
    if not containers:
        return ""
    chosen = dice.choice(containers)
    chosen["image"] += "-new"
    return f"spec.template.spec.containers[name={chosen['name']}].image"


def _env(dice: random.Random, value: Value) -> str:
    containers = _containers(value)
    if not containers:
        return ""
    chosen = dice.choice(containers)
    chosen["env"].insert(dice.randint(0, len(chosen["env"])), {"name": "PLANTED", "value": "x"})
    return f"spec.template.spec.containers[name={chosen['name']}].env[name=PLANTED]"


def _memory(dice: random.Random, value: Value) -> str:
    containers = _containers(value)
    if not containers:
        return ""
    chosen = dice.choice(containers)
    chosen["resources"]["limits"]["memory"] = "10Gi"
    return f"spec.template.spec.containers[name={chosen['name']}].resources.limits.memory"


def _replicas(dice: random.Random, value: Value) -> str:
    if value["kind"] != "Deployment":
        return ""
    value["spec"]["replicas"] += 1
    return "spec.replicas"


def _label(dice: random.Random, value: Value) -> str:
    value["metadata"].setdefault("labels", {})["planted"] = "yes"
    return "metadata.labels.planted"


def _data(dice: random.Random, value: Value) -> str:
    if "data" not in value:
        return ""
    key = dice.choice(sorted(value["data"]))
    text = value["data"][key]
    encoded = value["kind"] == "Secret"
    value["data"][key] = base64.b64encode(b"swordfish").decode() if encoded else f"{text} "
    return f"data.{key}"


def _less(dice: random.Random, value: Value) -> str:
    if value["kind"] != "ConfigMap":
        return ""
    value["data"]["planted"] = dice.choice(WORDS)
    return "data.planted"


def _deep(dice: random.Random, value: Value) -> str:
    if value["kind"] != "Widget":
        return ""
    value["spec"]["deep"]["deeper"]["on"] = "true"
    return "spec.deep.deeper.on"


def _word(dice: random.Random, value: Value) -> str:
    if value["kind"] != "Widget":
        return ""
    at = dice.randrange(3)
    value["spec"]["words"][at] += "s"
    return f"spec.words[{at}]"


_PLANTED: tuple[Callable[[random.Random, Value], str], ...] = (
    _image, _env, _memory, _replicas, _label, _data, _less, _deep, _word,
)  # fmt: skip


# Meaningless: each may change both sides.


def _shuffled(dice: random.Random, left: Value, right: Value) -> None:
    for container in _containers(right):
        dice.shuffle(container["env"])
        dice.shuffle(container["ports"])
    dice.shuffle(_containers(right))
    dice.shuffle(right.get("rules", []))
    for rule in right.get("rules", []):
        dice.shuffle(rule["verbs"])


def _units(dice: random.Random, left: Value, right: Value) -> None:
    for container in _containers(left):
        limits = container["resources"]["limits"]
        limits["cpu"] = f"{int(limits['cpu']) * 1000}m"
        if limits["memory"].endswith("Gi"):
            limits["memory"] = f"{int(limits['memory'][:-2]) * 1024}Mi"


def _defaults(dice: random.Random, left: Value, right: Value) -> None:
    value = dice.choice((left, right))
    for container in _containers(value):
        container["terminationMessagePolicy"] = "File"
        container["imagePullPolicy"] = "IfNotPresent"
        for port in container["ports"]:
            port["protocol"] = "TCP"
    if value["kind"] == "Deployment":
        value["spec"]["template"]["spec"]["restartPolicy"] = "Always"
        value["spec"]["strategy"] = {"type": "RollingUpdate"}


def _server(dice: random.Random, left: Value, right: Value) -> None:
    for value in (left, right):
        value["metadata"]["uid"] = f"{dice.getrandbits(64):x}"
        value["metadata"]["resourceVersion"] = str(dice.randint(1, 10**6))
        value["metadata"]["managedFields"] = [{"manager": dice.choice(WORDS), "operation": "Update"}]
        value["status"] = {"seen": dice.randint(1, 10**6)}


def _identity(dice: random.Random, left: Value, right: Value) -> None:
    for value, identity in zip((left, right), IDENTITIES, strict=True):
        value["metadata"].setdefault("annotations" if value["kind"] != "Secret" else "labels", {})["example.com/at"] = (
            f"shop.{identity['cluster_domain']} is {identity['cluster_name']}'s"
        )


def _sorted(dice: random.Random, left: Value, right: Value) -> None:
    for key in sorted(right):
        right[key] = right.pop(key)


_MEANINGLESS: tuple[Callable[[random.Random, Value, Value], None], ...] = (
    _shuffled, _units, _defaults, _server, _identity, _sorted,
)  # fmt: skip


def _containers(value: Value) -> list[Value]:
    if value["kind"] != "Deployment":
        return []
    found: list[Value] = value["spec"]["template"]["spec"]["containers"]
    return found
