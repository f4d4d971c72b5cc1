"""A fleet with one of each hazard, branched: each is found, held, shown, opened and closed again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from karrots.fence.kinds import LABEL
from tests.support.engine import eventually

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

STORY, COPY = "feature/fence", "qa-fence"
REPORT = "CronJob/shop/report"
FOLDER = "flux/apps/outside"
SHAPE = "{type: object, x-kubernetes-preserve-unknown-fields: true}"


def crd(kind: str, group: str, version: str, plural: str) -> str:
    """As loose as it may be: what is switched by the fence is what counts here."""
    return f"""apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}}}
  versions:
    - name: {version}
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {SHAPE}}}}}}}
"""


def pods(image: str, *, args: str = "[]", labels: str = "") -> str:
    container = f"{{name: x, image: {image}, args: {args}}}"
    return f"{{metadata: {{labels: {{app: x{labels}}}}}, spec: {{containers: [{container}]}}}}"


def workload(kind: str, name: str, image: str, more: str = "", *, args: str = "[]", labels: str = "") -> str:
    return (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
        f"spec: {{selector: {{matchLabels: {{app: x}}}}, {more}template: {pods(image, args=args, labels=labels)}}}\n"
    )


OUTSIDE = f", {LABEL}: mail"
JOB = "{template: {spec: {restartPolicy: Never, containers: [{name: x, image: shop/report}]}}}"
CRDS = [
    crd("ImageUpdateAutomation", "image.toolkit.fluxcd.io", "v1", "imageupdateautomations"),
    crd("Schedule", "velero.io", "v1", "schedules"),
    crd("Backup", "velero.io", "v1", "backups"),
    crd("BackupStorageLocation", "velero.io", "v1", "backupstoragelocations"),
    crd("PushSecret", "external-secrets.io", "v1alpha1", "pushsecrets"),
]
HAZARDS = {
    REPORT: f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: report}}\n"
    f"spec: {{schedule: '0 0 1 1 *', jobTemplate: {{spec: {JOB}}}}}\n",
    "CronJob/shop/minutely": f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: minutely}}\n"
    f"spec: {{schedule: '* * * * *', jobTemplate: {{spec: {JOB}}}}}\n",
    "Schedule/shop/nightly": "apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: nightly}\n"
    "spec: {schedule: '0 1 * * *', template: {}}\n",
    "BackupStorageLocation/shop/store": "apiVersion: velero.io/v1\nkind: BackupStorageLocation\n"
    "metadata: {name: store}\nspec: {provider: aws, objectStorage: {bucket: shop-backups}}\n",
    "ImageUpdateAutomation/shop/images": "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\n"
    "metadata: {name: images}\nspec: {interval: 1m}\n",
    "PushSecret/shop/push": "apiVersion: external-secrets.io/v1alpha1\nkind: PushSecret\nmetadata: {name: push}\n"
    "spec: {secretStoreRefs: [{name: vault, kind: SecretStore}]}\n",
    "Provider/shop/pager": "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\n"
    "metadata: {name: pager}\nspec: {type: generic, address: 'http://127.0.0.1:9/'}\n",
    "Alert/shop/failures": "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\n"
    "metadata: {name: failures}\n"
    "spec: {providerRef: {name: pager}, eventSources: [{kind: Kustomization, name: '*'}]}\n",
    "Receiver/shop/hook": "apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver\nmetadata: {name: hook}\n"
    "spec: {type: generic, secretRef: {name: hook}, resources: [{kind: GitRepository, name: a}]}\n",
    "Deployment/shop/mailer": workload("Deployment", "mailer", "shop/mailer", "replicas: 2, ", labels=OUTSIDE),
    "StatefulSet/shop/consumer": workload(
        "StatefulSet", "consumer", "shop/consumer", "serviceName: x, ", labels=OUTSIDE
    ),
    "DaemonSet/shop/agent": workload("DaemonSet", "agent", "shop/agent", labels=OUTSIDE),
    "Deployment/shop/names": workload("Deployment", "names", "registry.k8s.io/external-dns/external-dns:v0.22.0"),
    "Deployment/shop/writer": workload("Deployment", "writer", "ghcr.io/fluxcd/image-automation-controller:v1.2.4"),
}
OWN_NAMES = workload(
    "Deployment",
    "own-names",
    "registry.k8s.io/external-dns/external-dns:v0.22.0",
    args="['--domain-filter=${cluster_domain}']",
)


# Out of a chart: no walk over git sees what Helm makes of it.
CHARTED = {
    "CronJob/shop/digest": f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: digest}}\n"
    f"spec: {{schedule: '0 0 1 1 *', jobTemplate: {{spec: {JOB}}}}}\n",
    "Deployment/shop/courier": workload("Deployment", "courier", "shop/courier", "replicas: 2, ", labels=OUTSIDE),
}
CHART = "clusters/qa/charts/outside"
RELEASE = f"""apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: outside}}
spec:
  interval: 10m
  chart:
    spec:
      chart: ./{CHART}
      sourceRef: {{kind: GitRepository, name: flux-system, namespace: flux-system}}
  install: {{disableWait: true}}
"""


@pytest.fixture(scope="module", autouse=True)
def hazards(world: World) -> None:
    folder = world.directory / FOLDER
    folder.mkdir()
    chart = world.directory.parents[1] / CHART
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: outside\nversion: 1.0.0\n")
    (chart / "templates/all.yaml").write_text("---\n".join(CHARTED.values()))
    (folder / "release.yaml").write_text(RELEASE)
    (folder / "all.yaml").write_text("---\n".join([*CRDS, *HAZARDS.values(), OWN_NAMES]))
    (folder / "hook.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: hook}\nstringData: {token: t}\n")
    (folder / "kustomization.yaml").write_text("namespace: shop\nresources: [all.yaml, hook.yaml, release.yaml]\n")
    apps = world.directory / "flux/apps/kustomization.yaml"
    apps.write_text(apps.read_text() + "  - outside\n")
    settings = world.directory / "cluster.yaml"
    settings.write_text(settings.read_text() + "\nfence:\n  addresses: [203.0.113.0/24]\n")
    world.git("add", ".")
    world.git("commit", "-qm", "One of each that acts on the outside world")
    world.karrots("create")


def specs(world: World, cluster: str) -> dict[str, dict[str, Any]]:
    """Of all that stands in the shop, in one question."""
    kinds = ",".join(sorted({label.split("/")[0].lower() for label in HAZARDS}))
    found = json.loads(world.kubectl(cluster, "-n", "shop", "get", kinds, "-o", "json"))["items"]
    return {f"{each['kind']}/shop/{each['metadata']['name']}": each["spec"] for each in found}


def items(world: World, cluster: str = COPY) -> dict[str, dict[str, Any]]:
    document = world.karrots("fence", cluster, "-o", "json").document
    assert document["asked"]
    return {f"{item['kind']}/{item['namespace']}/{item['name']}": item for item in document["items"]}


def running(world: World, cluster: str, name: str) -> int:
    labels = f"{LABEL}=mail" if name != "names" else "app=x"
    found = json.loads(world.kubectl(cluster, "-n", "shop", "get", "pods", "-l", labels, "-o", "json"))["items"]
    return sum(each["metadata"]["name"].startswith(f"{name}-") for each in found)


def started(world: World, cluster: str, name: str, *, allowed: bool) -> str:
    """The Job that `kubectl` makes of a CronJob is owned by it, as the controller's is."""
    done = world.karrots(
        "run", cluster, "--", "kubectl", "-n", "shop", "create", "job", name, "--from=cronjob/report", expect=None
    )
    assert (done.status == 0) is allowed, done.err
    return done.err


def test_lint_says_what_a_fence_will_hold(world: World) -> None:
    found = world.karrots("lint", "-o", "json").document["findings"]
    held = [f for f in found if f["rule"] == "held-in-copies"]
    assert {f["rule"] for f in found} == {"held-in-copies", "plain-secret"}
    assert len(held) == len(HAZARDS)


def test_a_cluster_that_is_no_copy_has_no_fence(world: World) -> None:
    assert {item["state"] for item in items(world, "qa").values()} == {"acts"}
    assert world.kubectl("qa", "get", "validatingadmissionpolicies", "-l", "karrots.dev/fence", "-o", "name") == ""
    started(world, "qa", "by-hand", allowed=True)
    eventually(lambda: running(world, "qa", "mailer") == 2)
    refused = world.karrots("fence", "qa", "--open", "CronJob", expect=3)
    assert "has no fence" in refused.err


def test_what_cannot_be_held_is_an_error_before_anything_is_made(world: World) -> None:
    world.git("switch", "-qc", "host")
    commit = world.commit("flux/apps/front/ingress.yaml", "shop.${cluster_domain}", "shop.qa.example.com")
    assert "not-for-copies" in world.karrots("lint", expect=1).out
    world.git("switch", "-q", "main")
    refs = world.git("for-each-ref", "karrots/fleet", "refs/heads/feature")
    refused = world.karrots("branch", STORY, COPY, "--from", commit, expect=5)
    assert "Ingress/shop/front claims the host 'shop.qa.example.com'" in refused.err
    assert "fence: {open: [Ingress/shop/front]}" in refused.err
    assert world.git("for-each-ref", "karrots/fleet", "refs/heads/feature") == refs


def test_each_is_found_and_held(world: World) -> None:
    before = counted(world, "qa")
    world.karrots("branch", STORY, COPY)
    listed = items(world)
    assert {label: item["state"] for label, item in listed.items()} == dict.fromkeys({**HAZARDS, **CHARTED}, "held")
    assert all(item["reason"] for item in listed.values())
    assert {listed[label]["path"] for label in HAZARDS} == {f"{FOLDER}/all.yaml"}
    assert counted(world, "qa") == before
    run = next(each for each in world.karrots("logs", "-o", "json").document["runs"] if each["verb"] == "branch")
    journal = world.root / f"karrots/state/runs/{run['id']}/journal.jsonl"
    assert '"step": "fence", "what": "ahead"' in journal.read_text()


def test_what_has_a_switch_is_switched(world: World) -> None:
    copy, parent = specs(world, COPY), specs(world, "qa")
    for label, field, value in [
        ("ImageUpdateAutomation/shop/images", "suspend", True),
        ("Alert/shop/failures", "suspend", True),
        ("Provider/shop/pager", "suspend", True),
        ("Receiver/shop/hook", "suspend", True),
        ("Schedule/shop/nightly", "paused", True),
        ("BackupStorageLocation/shop/store", "accessMode", "ReadOnly"),
        ("PushSecret/shop/push", "secretStoreRefs", [{"name": "karrots-fence", "kind": "SecretStore"}]),
        ("Deployment/shop/mailer", "replicas", 0),
        ("Deployment/shop/names", "replicas", 0),
        ("Deployment/shop/writer", "replicas", 0),
        ("StatefulSet/shop/consumer", "replicas", 0),
    ]:
        assert copy[label].get(field) == value, label
        assert parent[label].get(field) != value, label
    assert copy["Deployment/shop/own-names"]["replicas"] == 1


def test_what_is_made_to_act_is_denied(world: World) -> None:
    told = started(world, COPY, "by-hand", allowed=False)
    assert f"karrots fence {COPY} --open {REPORT}" in told
    backup = "apiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: x, labels: {velero.io/schedule-name: nightly}}\n"
    for cluster, status in ((COPY, 1), ("qa", 0)):
        file = world.root / "backup.yaml"
        file.write_text(backup)
        done = world.karrots("run", cluster, "--", "kubectl", "-n", "shop", "create", "-f", str(file), expect=None)
        assert done.status == status, done.err
    assert running(world, COPY, "agent") == 0
    assert running(world, "qa", "agent") > 0


def test_what_a_chart_makes_is_held_too(world: World) -> None:
    path = "jsonpath={.spec.replicas}"
    assert world.kubectl(COPY, "-n", "shop", "get", "deployment", "courier", "-o", path) == "0"
    assert world.kubectl("qa", "-n", "shop", "get", "deployment", "courier", "-o", path) == "2"
    assert running(world, COPY, "courier") == 0
    assert running(world, "qa", "courier") == 2
    words = ("kubectl", "-n", "shop", "create", "job", "now", "--from=cronjob/digest", "--dry-run=server")
    told = world.karrots("run", COPY, "--", *words, expect=1).err
    assert f"karrots fence {COPY} --open CronJob/shop/digest" in told
    world.karrots("run", "qa", "--", *words)


def test_the_parents_addresses_are_closed(world: World) -> None:
    policy = json.loads(world.kubectl(COPY, "-n", "shop", "get", "networkpolicy", "karrots-fence", "-o", "json"))
    (rule,) = policy["spec"]["egress"]
    blocks = {to["ipBlock"]["cidr"]: to["ipBlock"].get("except", []) for to in rule["to"] if "ipBlock" in to}
    assert "203.0.113.0/24" in blocks["0.0.0.0/0"]
    assert "karrots-fence" not in world.kubectl("qa", "get", "networkpolicies", "-A", "-o", "name")


def test_one_is_opened_and_closed_again(world: World) -> None:
    world.karrots("fence", COPY, "--open", REPORT, "--open", "deployment/mailer", "--open", "Alert", "--open", "agent")
    listed = items(world)
    opened = {label for label, item in listed.items() if item["state"] == "open"}
    assert opened == {REPORT, "Deployment/shop/mailer", "Alert/shop/failures", "DaemonSet/shop/agent"}
    started(world, COPY, "opened", allowed=True)
    copy = specs(world, COPY)
    assert copy["Deployment/shop/mailer"]["replicas"] == 2, "as content says"
    assert not copy["Alert/shop/failures"].get("suspend")
    assert copy["Provider/shop/pager"]["suspend"], "nobody opened it"
    eventually(lambda: running(world, COPY, "mailer") == 2)
    eventually(lambda: running(world, COPY, "agent") > 0)
    record = world.karrots("show", COPY, "-o", "json").document["record"]
    assert record["fence"] == {REPORT: "open", "Deployment/mailer": "open", "Alert": "open", "agent": "open"}
    world.karrots("apply", COPY)
    started(world, COPY, "still-open", allowed=True)
    world.karrots(
        "fence", COPY, "--close", REPORT, "--close", "deployment/mailer", "--close", "alerts", "--close", "agent"
    )
    assert {item["state"] for item in items(world).values()} == {"held"}
    started(world, COPY, "closed", allowed=False)
    eventually(lambda: running(world, COPY, "mailer") == 0)
    assert specs(world, COPY)["Alert/shop/failures"]["suspend"] is True


def test_what_only_content_can_give_back_flux_gives_back(world: World) -> None:
    world.karrots("fence", COPY, "--open", "PushSecret/shop/push")
    eventually(lambda: specs(world, COPY)["PushSecret/shop/push"]["secretStoreRefs"][0]["name"] == "vault")
    world.karrots("fence", COPY, "--close", "PushSecret/shop/push")
    assert specs(world, COPY)["PushSecret/shop/push"]["secretStoreRefs"][0]["name"] == "karrots-fence"


def test_another_workload_can_be_closed_too(world: World) -> None:
    world.karrots("fence", COPY, "--close", "Deployment/shop/front")
    assert specs(world, COPY)["Deployment/shop/front"]["replicas"] == 0
    world.karrots("fence", COPY, "--open", "Deployment/shop/front")
    assert specs(world, COPY)["Deployment/shop/front"]["replicas"] > 0


def test_a_word_nobody_knows(world: World) -> None:
    assert "did you mean 'report'?" in world.karrots("fence", COPY, "--open", "reprt", expect=10).err
    assert "cannot be opened or closed" in world.karrots("fence", COPY, "--open", "a'b", expect=2).err
    assert "at once" in world.karrots("fence", COPY, "--open", "report", "--close", "report", expect=2).err


def test_the_controller_of_cron_jobs_makes_none_in_the_copy(world: World) -> None:
    """Each minute; its events say why."""

    def told() -> str:
        return world.kubectl(COPY, "-n", "shop", "get", "events", "--field-selector", "involvedObject.name=minutely")

    eventually(lambda: jobs(world, "qa", "minutely"))
    eventually(lambda: f"karrots fence {COPY} --open CronJob/shop/minutely" in told())
    assert jobs(world, COPY, "minutely") == 0


def jobs(world: World, cluster: str, cron_job: str) -> int:
    found = json.loads(world.kubectl(cluster, "-n", "shop", "get", "jobs", "-o", "json"))["items"]
    owners = [owner["name"] for each in found for owner in each["metadata"].get("ownerReferences", [])]
    return owners.count(cron_job)


def test_apply_puts_a_fence_back_that_somebody_took_down(world: World) -> None:
    world.kubectl(COPY, "delete", "validatingadmissionpolicybindings,mutatingadmissionpolicybindings", "--all")
    eventually(lambda: not denied(world))
    world.karrots("apply", COPY)
    started(world, COPY, "after-apply", allowed=False)


def denied(world: World) -> bool:
    words = ("kubectl", "-n", "shop", "create", "job", "x", "--from=cronjob/report", "--dry-run=server")
    return world.karrots("run", COPY, "--", *words, expect=None).status != 0


def test_content_knows_nothing_of_it_after_a_merge(world: World) -> None:
    before = counted(world, "qa")
    world.git("switch", "-q", STORY)
    world.commit("flux/apps/front/deployment.yaml", "shop/front:1.5.0", "shop/front:1.6.0")
    world.karrots("sync", COPY)
    world.git("switch", "-q", "main")
    world.git("merge", "-q", "--no-ff", "--no-edit", STORY)
    world.karrots("sync", "qa")
    assert world.image("qa") == "shop/front:1.6.0"
    assert not [p for p in (world.directory / "flux").rglob("*.yaml") if "fence" in p.read_text()]
    assert counted(world, "qa") == before
    started(world, "qa", "after-merge", allowed=True)


def counted(world: World, cluster: str) -> dict[str, object]:
    """What acts in a cluster: how each is set, and how much of it runs."""
    fields = ("suspend", "paused", "accessMode", "secretStoreRefs", "replicas", "schedule")
    found = specs(world, cluster)
    return {label: {field: found[label].get(field) for field in fields} for label in HAZARDS}


def test_it_goes_with_the_cluster(world: World) -> None:
    receipt = world.karrots("destroy", COPY, "--yes", "-o", "json").document
    assert receipt["left"] == []
    world.karrots("destroy", "qa", "--yes")
    assert world.processes() == []
