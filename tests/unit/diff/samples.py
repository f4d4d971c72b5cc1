"""Comparisons for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace

from karrots.diff.document import Difference, LevelScore, Side, Trouble, ordered
from karrots.diff.model import Departure, ObjectKey, Origin
from karrots.diff.sides import File, Setting

UNEXPLAINED = "nothing says that it should differ"
FRONT = ObjectKey("apps", "Deployment", "shop", "front")
SETTINGS = ObjectKey("", "ConfigMap", "shop", "front-settings")
EDGE = ObjectKey("", "Service", "shop", "edge")
PATCH = """diff --git a/flux/apps/front/deployment.yaml b/flux/apps/front/deployment.yaml
index 1111111..2222222 100644
--- a/flux/apps/front/deployment.yaml
+++ b/flux/apps/front/deployment.yaml
@@ -13,5 +13,6 @@ spec:
       containers:
-        - image: shop/front:1.5.0
+        - image: shop/front:1.6.0
+          name: front
           ports:
             - containerPort: 80
"""

IMAGE = Departure(
    "rendered", FRONT, "spec.template.spec.containers[name=front].image", "changed", "shop/front:1.5.0",
    "shop/front:1.6.0", "unexpected", UNEXPLAINED,
    Origin("flux/apps/front/deployment.yaml", 14, "flux-system/apps"),
    Origin("flux/apps/front/deployment.yaml", 15, "flux-system/apps"), whose="theirs",
)  # fmt: skip
REPLICAS = Departure(
    "live", FRONT, "spec.replicas", "changed", "2", "5", "unexpected", UNEXPLAINED,
    Origin(kustomization="flux-system/apps"), Origin(kustomization="flux-system/apps", manager="kubectl-scale"),
)  # fmt: skip
LEVEL = Departure(
    "rendered", SETTINGS, "data.log_level", "changed", "info", "trace", "expected", "an override in the record",
    origin_b=Origin(override="variables.log_level"),
)  # fmt: skip
OPENED = Departure(
    "rendered", EDGE, "spec.type", "changed", "ClusterIP", "LoadBalancer", "unexpected", UNEXPLAINED,
    risk="exposes", risk_reason="it is reached from outside",
)  # fmt: skip
GONE = Departure(
    "live", EDGE, "", "removed", str(EDGE), "", "unexpected", UNEXPLAINED,
    risk="deletes", risk_reason="it goes",
)  # fmt: skip
LINES = Departure(
    "rendered",
    SETTINGS,
    "data.nginx",
    "changed",
    "a\nb\nc",
    "a\nB\nc",
    "unexpected",
    UNEXPLAINED,
)

A = Side("qa", "main", "clusters/qa", "1" * 40, "qa", {"cluster_name": "qa"})
B = Side("story", "feature/story", "clusters/qa", "2" * 40, "story", {"cluster_name": "story"})


def difference(*departures: Departure) -> Difference:
    told = departures or (IMAGE, LEVEL, LINES, OPENED, REPLICAS, GONE)
    return Difference(
        A, B, (File("M", "flux/apps/front/deployment.yaml"),), PATCH, (Setting("cluster_name", "qa", "story"),),
        (Setting("variables.log_level", "", "trace"),), 96.42,
        (
            LevelScore("content", True, 97.5, 39.0, 40, 1, 1, 0, 0),
            LevelScore("rendered", True, 96.42, 27.0, 28, 3, 3, 1, 0),
            LevelScore("live", False, 0.0, 0.0, 0, 0, 0, 0, 0),
        ),
        tuple(ordered(told)),
        (Trouble("live", "story", "no right to list secrets", hint="kubectl auth can-i list secrets"),),
        "f" * 40,
    )  # fmt: skip


def same() -> Difference:
    scores = (LevelScore("content", True, 100.0, 40.0, 40, 0, 0, 0, 0),)
    return replace(
        difference(), files=(), patch="", overrides=(), percent=100.0, scores=scores, departures=(), troubles=()
    )


# Texts that would be something else than text in one of the forms.
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'); alert(1); //", "</style></script><b>",
    "`code` ```fence```", "| cell | cell |", "@someone #1 [link](https://example.com)", "</details><h1>out</h1>",
    "\x1b[2J\x1b]0;title\x07", "\u202eback", "{{ 7 * 7 }}{% raw %}", "&lt;b&gt;", "a\r\nb\u2028c", "--><!--",
)  # fmt: skip


def hostile(text: str) -> Difference:
    key = ObjectKey(text, text, text, text)
    origin = Origin(text, 3, text, text, text, text)
    said = Departure(
        "rendered", key, text, "changed", text, f"{text}!", "unexpected", text, origin, origin, "opens", text
    )
    found = difference(said, replace(said, level="live", path="", change="added"))
    trouble = Trouble("live", text, text, text, 7, text)
    setting = Setting(text, text, text)
    side = replace(A, label=text)
    return replace(found, a=side, troubles=(trouble,), identity=(setting,), overrides=(setting,),
                   patch=PATCH.replace("shop/front:1.6.0", text.replace("\r\n", " ")))  # fmt: skip
