"""Results as people read them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from karrots import clock
from karrots.report.tables import checks_table, table
from karrots.report.text import age_text, clean, count_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.ops.bringup import Cluster
    from karrots.ops.content import Linted, Rendered
    from karrots.ops.demo import Story
    from karrots.ops.destroy import Receipt
    from karrots.ops.doctor import Diagnosis
    from karrots.ops.engine import Built, EngineClusters, Freed
    from karrots.ops.fence import Fence, Item
    from karrots.ops.flux import Pinned
    from karrots.ops.foresee import Planned
    from karrots.ops.init import Initialised
    from karrots.ops.leftovers import Finding
    from karrots.ops.listing import ClusterDetail, Fleet, FluxCount, Lineage, LineageNode, Row
    from karrots.ops.rehearse_terraform import Found, Rehearsed
    from karrots.ops.repair import Repairs
    from karrots.ops.runs import PastRuns, RunLog
    from karrots.ops.secrets import Secrets
    from karrots.ops.services import Outdated, ServiceDetail, ServiceList, ServiceRow, ServicesChanged


def brought_up(result: Cluster | Planned) -> str:
    """The one line a script may want: the name and the address; nothing for a dry run, which told it already."""
    server = getattr(result, "server", None)
    return f"{result.name}  {server}\n" if server else ""


def receipt_text(receipt: Receipt) -> str:
    left = "  ".join(f"{kind} 0 of {count}" for kind, count in receipt.looked_for.items())
    others = "".join(f"not ours   {clean(line)}\n" for line in receipt.left)
    return (
        f"receipt    {receipt.place}\n"
        f"cluster    {receipt.cluster} ({receipt.id})\n"
        f"left       {left}\n{others}"
        f"removed    {count_text(receipt.flux_objects_removed, 'Flux object')}, {receipt.resources} left in the state\n"
        f"destroyed  {receipt.destroyed} in {seconds_text(receipt.seconds)}\n"
    )


def fleet_text(fleet: Fleet, columns: int | None) -> str:
    if not fleet.clusters:
        return "no clusters yet; the first one: cd clusters/… && karrots create\n"
    asked = any(row.flux is not None for row in fleet.clusters)
    head = ["NAME", "BRANCH", "PARENT", "BEHIND", "PHASE", "CONTENT", *(["FLUX"] if asked else []), "AGE", "EXPIRES"]
    text = table(head, [_row(row, asked=asked) for row in fleet.clusters], width=columns)
    simulated = any(row.flux and row.flux.reachable and row.provider == "local" for row in fleet.clusters)
    text += "on the local engine nodes and pods are simulated, all else is real\n" if simulated else ""
    troubles = [f"{row.name}: {row.flux.trouble}" for row in fleet.clusters if row.flux and row.flux.trouble]
    return text + "".join(f"! {clean(line)}\n" for line in troubles)


def _row(row: Row, *, asked: bool) -> list[str]:
    moment = clock.now()
    phase = f"{row.phase} ({row.operation})" if row.operation else row.phase
    return [
        row.name,
        row.branch,
        row.parent or "-",
        "-" if row.behind is None else str(row.behind),
        phase,
        content_text(row),
        *([flux_text(row.flux)] if asked else []),
        age_text(row.created, moment),
        age_text(row.expires, moment) if row.expires else "-",
    ]


def content_text(row: Row) -> str:
    """The applied commit, and the branch's head where that is another."""
    applied = row.applied[:7] or "-"
    return applied if row.head in ("", row.applied) else f"{applied}→{row.head[:7]}"


def flux_text(count: FluxCount | None) -> str:
    if count is None:
        return "-"
    if not count.reachable:
        return "no answer"
    failed = f", {count.failed} failed" if count.failed else ""
    return f"{count.ready}/{count.total}{failed}"


def detail_text(detail: ClusterDetail, columns: int | None) -> str:
    record, row = detail.record, detail.row
    lines = [
        ("cluster", f"{row.name} ({record['id']})"),
        ("directory", row.directory),
        (
            "branch",
            row.branch
            + (f", {count_text(detail.commits_ahead, 'commit')} not applied" if detail.commits_ahead else ""),
        ),
        ("parent", (row.parent or "-") + (f", {count_text(row.behind, 'commit')} behind it" if row.behind else "")),
        ("phase", row.phase + (f", '{row.operation}' is at work" if row.operation else "")),
        ("provider", f"{row.provider}{' on ' + row.host if row.host else ''}"),
        ("domain", record.get("domain", "")),
        ("network", record.get("network", "")),
        ("API server", detail.server or "no answer"),
        ("applied", content_text(row)),
        ("owner", row.owner),
        ("created", row.created),
        ("expires", row.expires or "-"),
        ("overrides", ", ".join(f"{k}={v}" for k, v in record.get("overrides", {}).items()) or "-"),
    ]
    text = "".join(f"{label:10}  {clean(str(value))}\n" for label, value in lines)
    if detail.flux:
        text += "\n" + table(
            ("FLUX", "READY", "REVISION", "MESSAGE"),
            [
                (f"{o['kind']}/{o['name']}", _ready(o["ready"]), o["revision"].rpartition(":")[2][:10], o["message"])
                for o in detail.flux
            ],
            width=columns,
        )
    parts = [(p.name, p.state, p.detail) for p in detail.parts]
    return text + "\n" + table(("PART", "STATE", "DETAIL"), parts, width=columns)


def _ready(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "?"}[value]


def lineage_text(lineage: Lineage) -> str:
    """A tree in plain characters that survive any terminal's width."""
    if not lineage.roots:
        return "no clusters yet\n"
    return "".join(f"{clean(line)}\n" for root in lineage.roots for line in _branches(root, "", ""))


def _branches(node: LineageNode, lead: str, below: str) -> Iterator[str]:
    gone = f"  (parent '{node.gone_parent}' is gone)" if node.gone_parent else ""
    yield f"{lead}{node.name}  {node.branch}  {node.phase}{gone}"
    for at, child in enumerate(node.children):
        last = at == len(node.children) - 1
        yield from _branches(child, f"{below}{'└─ ' if last else '├─ '}", f"{below}{'   ' if last else '│  '}")


def lineage_names(lineage: Lineage) -> list[str]:
    def walk(node: LineageNode) -> Iterator[str]:
        yield node.name
        for child in node.children:
            yield from walk(child)

    return [name for root in lineage.roots for name in walk(root)]


# How a line of a diff begins, and its colour: the longest beginning that fits counts.
SHADES = {"diff --git": "1", "index ": "1", "--- ": "1", "+++ ": "1", "@@": "36", "+": "32", "-": "31"}


def painted(text: str) -> str:
    """A diff in colours of our own: content may hold colour codes too, and some of them hide text."""
    return "".join(_painted(line) for line in text.splitlines(keepends=True))


def _painted(line: str) -> str:
    bare = line.rstrip("\n")
    begins = max((start for start in SHADES if bare.startswith(start)), key=len, default=None)
    return f"\x1b[{SHADES[begins]}m{bare}\x1b[m\n" if begins else line


def lint_text(linted: Linted) -> str:
    fixed = "".join(f"fixed {path}\n" for path in linted.fixed)
    if not linted.findings:
        return fixed + f"{linted.directory}: clean\n"
    lines = []
    for f in linted.findings:
        what = f" {f.object}:" if f.object else ""
        lines.append(f"{linted.directory}/{f.path}:{f.line}: {f.severity}:{what} {f.message} [{f.rule}]\n")
        if f.fix_hint:
            lines.append(f"    try: {f.fix_hint}\n")
    return (
        fixed
        + clean("".join(lines))
        + f"{count_text(len(linted.findings), 'finding')}, {count_text(linted.errors, 'error')}\n"
    )


def fence_text(fence: Fence, columns: int | None) -> str:
    copy = (
        f"{fence.cluster}, a copy of {fence.parent}"
        if fence.parent
        else f"{fence.cluster} is not a copy: all of it acts"
    )
    if not fence.items:
        return f"{copy}: nothing in it acts on the outside world\n"
    rows = [(_stands(item), item.label, _held_by(item), item.reason, _place(item)) for item in fence.items]
    asked = "" if fence.asked else "the cluster did not answer: this is what its content says\n"
    hint = f"to open one: karrots fence {fence.cluster} --open KIND/NAMESPACE/NAME\n" if fence.parent else ""
    return f"{copy}\n" + table(("STATE", "WHAT", "HELD BY", "WHY", "WHERE"), rows, width=columns) + asked + hint


def _stands(item: Item) -> str:
    return "NOT HELD" if item.state == "not held" else item.state


HELD_BY = {
    "denied": "admission: what it makes is denied",
    "suspended": "admission: suspended",
    "not started": "admission: not started",
    "egress": "a NetworkPolicy",
    "nothing": "nothing can",
}


def _held_by(item: Item) -> str:
    return HELD_BY[item.hold]


def _place(item: Item) -> str:
    return f"{item.path}:{item.line}" if item.path else "in the cluster"


def secrets_text(found: Secrets, columns: int | None) -> str:
    copy = f"{found.cluster}, a copy of {found.parent}" if found.parent else f"{found.cluster} is not a copy"
    if not found.items:
        return f"{copy}: no secret in its content\n"
    rows = [(each.state, each.label, each.how, each.gains, f"{each.path}:{each.line}") for each in found.items]
    asked = "" if found.asked else "the cluster did not answer: this is what its content says\n"
    return f"{copy}\n" + table(("STATE", "WHAT", "HOW", "WHO GAINS ACCESS", "WHERE"), rows, width=columns) + asked


def rehearsed_text(rehearsed: Rehearsed, columns: int | None) -> str:
    rows = [(s.name, s.outcome, s.found, seconds_text(s.seconds)) for s in rehearsed.stages]
    stages = table(("STAGE", "OUTCOME", "FOUND", "TOOK"), rows, width=columns)
    told = "".join(clean(_finding_text(found)) for found in rehearsed.findings)
    tries = "".join(f"try: {line}\n" for line in rehearsed.next.splitlines())
    return stages + told + tries


def _finding_text(found: Found) -> str:
    place = f"{found.file}:{found.line}: " if found.file else ""
    what = f" {found.address}:" if found.address else ""
    detail = "".join(f"    {line}\n" for line in found.detail.splitlines())
    return f"{place}{found.severity}:{what} {found.summary}\n{detail}"


def rendered_text(rendered: Rendered) -> str:
    return "".join(f"{what:8} {rendered.directory}/{path}\n" for path, what in rendered.files.items())


def services_text(listed: ServiceList, columns: int | None) -> str:
    rows = [(row.name, _switch(row), row.version or "-", _needs_text(row), row.what) for row in listed.services]
    return table(("SERVICE", "", "VERSION", "NEEDS", "WHAT"), rows, width=columns)


def _switch(row: ServiceRow) -> str:
    return "on" if row.on else "n/a" if row.why_not else "off"


def _needs_text(row: ServiceRow) -> str:
    return ", ".join(row.needs) or "-"


def service_text(detail: ServiceDetail) -> str:
    lines = [
        ("service", f"{detail.name}, {'on' if detail.on else 'off'}"),
        ("what", detail.what),
        *([("not here", detail.why_not)] if detail.why_not else []),
        ("needs", ", ".join(detail.needs) or "-"),
        ("rights", detail.permission or "-"),
        ("makes", detail.makes or "-"),
        ("differs", detail.differs),
        ("namespace", detail.namespace),
        *((f"  {option}", value or "-") for option, value in detail.options.items()),
    ]
    text = "".join(f"{label:15}  {value}\n" for label, value in lines)
    for chart in detail.charts:
        asks = f", its pods ask for {chart.requests}" if chart.requests else ""
        text += f"\n{chart.name} {chart.version} from {chart.address}{asks}\n"
        text += table(("VALUE", "LOOKED UP IN"), list(chart.values.items()))
    return text


def services_changed_text(done: ServicesChanged) -> str:
    listing = "".join(f"{what:8} {done.directory}/{path}\n" for path, what in done.files.items() if what != "same")
    kept = "kept: changed by hand since it was rendered; remove it by hand, or karrots render once it is gone\n"
    told = listing + (kept if done.kept else "")
    if not done.changed:
        return told + "nothing to change\n"
    return f"{told}\nnext: git add {done.directory} && git commit -m 'Change the services'\n"


def outdated_text(found: Outdated, columns: int | None) -> str:
    if not found.charts:
        return "every chart is of the version that this karrots knows\n"
    rows = [(chart.service, chart.chart, chart.rendered or "-", chart.known) for chart in found.charts]
    return table(("SERVICE", "CHART", "RENDERED", "KNOWN"), rows, width=columns) + "next: karrots render\n"


def pinned_text(pinned: Pinned) -> str:
    files = "".join(f"{outcome:8} {path}\n" for path, outcome in pinned.files.items())
    return f"{files}images\n" + "".join(f"  {image}\n" for image in pinned.images)


def initialised_text(done: Initialised) -> str:
    listing = "".join(f"{what:8} {path}\n" for path, what in done.files.items())
    commit = f"committed {done.commit[:10]}\n" if done.commit else "not committed: git add . && git commit\n"
    first, *more = next_after_init(done)
    return f"{listing}{commit}\nnext: {first}\n" + "".join(f"      {command}\n" for command in more)


def next_after_init(done: Initialised) -> list[str]:
    """A cluster in a cloud needs a place for its state, Flux as content, and a repository that it can read."""
    if done.provider == "local":
        return [f"cd {done.directory} && karrots create"]
    return [
        "karrots doctor --repair",
        f"karrots flux pin 2.9.5 {done.directory} && git add -A && git commit -m 'Pin Flux'",
        "git remote add origin URL && git push -u origin HEAD   (and git.access in karrots.yaml)",
        f"cd {done.directory} && karrots create --dry-run",
    ]


def diagnosis_text(diagnosis: Diagnosis, columns: int | None) -> str:
    return checks_table([(c.what, c.ok, c.found, c.hint) for c in diagnosis.checks], width=columns)


def repairs_text(repairs: Repairs) -> str:
    if not repairs.found:
        return "nothing is left over\n"
    mended = "".join(f"mended  {clean(each.kind)}: {clean(each.what)}\n" for each in repairs.mended)
    return mended + "".join(_left_text(each) for each in repairs.left)


def _left_text(finding: Finding) -> str:
    then = f"karrots doctor --repair: {finding.mending}" if finding.mending else f"by hand: {finding.command}"
    lines = (f"left    {finding.kind}: {finding.what}", f"  why   {finding.why}", f"  try   {then}")
    return "".join(clean(line).replace("\n", " ") + "\n" for line in lines)


def runs_text(runs: PastRuns, columns: int | None) -> str:
    if not runs.runs:
        return "no runs yet\n"
    rows = [
        (r.id, r.verb, r.cluster, r.outcome, seconds_text(r.seconds), age_text(_moment(r.began), clock.now()))
        for r in runs.runs
    ]
    return table(("RUN", "VERB", "CLUSTER", "OUTCOME", "TOOK", "AGE"), rows, width=columns)


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def run_text(log: RunLog) -> str:
    run = log.run
    lines = [f"{run.verb} {run.cluster}: {run.outcome} in {seconds_text(run.seconds)}", f"folder  {run.folder}"]
    for entry in log.journal:
        seconds = f"  {seconds_text(entry['seconds'])}" if "seconds" in entry else ""
        said = entry.get("why") or entry.get("message") or ""
        lines.append(f"  {entry['what']:11} {entry.get('step', ''):18}{seconds}  {said}".rstrip())
    return clean("\n".join([*lines, *(f"file    {name}" for name in log.files)])) + "\n"


def build_text(built: Built) -> str:
    versions = "".join(f"{name:12} {version}\n" for name, version in built.versions.items())
    return f"{built.folder}\n{versions}"


def engine_text(engines: EngineClusters, columns: int | None) -> str:
    if not engines.clusters:
        return "the engine has no clusters\n"
    blocks = []
    for c in engines.clusters:
        rows = [
            (p.name, "running" if p.running else "stopped", str(p.pid), str(p.port), mebibytes(p.rss_bytes))
            for p in c.processes
        ]
        simulated = f"simulated: {', '.join(c.simulated)} ({count_text(c.nodes, 'node')})"
        head = f"{c.name} ({c.id})  {c.server or c.problem}  {mebibytes(c.rss_bytes)}\n"
        blocks.append(
            head + table(("PROCESS", "STATE", "PID", "PORT", "MEMORY"), rows, width=columns) + simulated + "\n"
        )
    return "\n".join(blocks)


def engines_text(engines: EngineClusters, columns: int | None) -> str:
    if not engines.clusters:
        return "the engine has no clusters\n"
    rows = [
        (c.name, c.id, f"{c.running}/{len(c.processes)}", mebibytes(c.rss_bytes), c.server or c.problem)
        for c in engines.clusters
    ]
    return table(("NAME", "ID", "RUNNING", "MEMORY", "SERVER"), rows, width=columns)


def mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def freed_text(freed: Freed) -> str:
    return (
        f"processes stopped: {freed.processes}, "
        f"{count_text(len(freed.clusters), 'cluster')} removed, {count_text(len(freed.builds), 'build')} removed\n"
    )


def demo_text(story: Story) -> str:
    lines = [f"{chapter.title:42} {seconds_text(chapter.seconds):>8}\n" for chapter in story.chapters]
    left = "  ".join(f"{kind} {count}" for kind, count in story.left.items())
    kept = f"kept at {story.folder}: cd {story.folder} && karrots status\n" if story.kept else f"left: {left}\n"
    return "".join(lines) + kept
