"""What was measured, as a table with its goals and as charts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.peers import ours
from tests.benchmarks.peers.candidate import OURS, PEERS
from tests.benchmarks.peers.measuring import TOLERANCE
from tests.benchmarks.peers.workloads import CURVES, FASTEST, WORKLOADS, Goal, Program

Entry = dict[str, Any]
Result = dict[str, Any]
# Okabe and Ito's, which colour-blind people can tell apart; ours first.
COLORS = {OURS: "#0072B2", "learn2learn": "#E69F00", "higher": "#009E73", "torchopt": "#D55E00",
          "parallel_metalearn": "#CC79A7"}
# As many as anybody has ways: full, dashed, dotted, both, long dashes, dots far apart.
_STYLES = ("-", "--", ":", "-.", (0, (9, 2)), (0, (1, 4)))
MARKS = {"reached": "reached", "missed": "**missed**"}
_ABOUT = (
    "# Ours beside the other libraries", "",
    "Made by `python -m tests.benchmarks.peers` from `peers.json`, which holds every round.", "",
    "- A step is the meta-gradient of the whole meta-batch, the mean query loss and a step of Adam, from the same",
    "  initial weights on the same tasks, drawn beforehand. Ours runs through the engine, as in training.",
    "- Replayed, the engine calls the same operations one after another from a list, with the same numbers to the last",
    "  bit; nothing is compiled, and it counts as eager. What is plainly run stands in its own row.",
    "- By the rules is what the engine takes for a run that is too short to be measured at its start; what its chooser",
    "  takes for others is compared in `chooser.json`.",
    "- Before anything is timed the meta-gradients are compared in float64. The difference is the largest in any",
    f"  weight tensor over the largest gradient in it; beyond {TOLERANCE:.0e} a peer is not timed.",
    "- Every candidate runs in a process of its own. They take turns; the median of the rounds counts.",
    "- Everybody has the threads that it takes by default: all cores, but for ours where the engine takes one for",
    "  small work. Where a peer is faster with one thread, that is told.",
    "- Memory is the peak of the resident memory during a step beyond what the process holds between steps; on a",
    "  GPU it is that of torch's allocations. Its goal is reached where one of ours reaches it together with all goals",
    "  of the time; where that is not the fastest, what the fastest takes is told beside it.",
    "- The floor is the time in which the operations that torch counts in the plainly written meta-gradient would",
    "  run at the rate of a large matrix product, which takes its turn in the same rounds.", "",
)


def results_of(entry: Entry, who: str | None = None, program: Program = "any") -> list[Result]:
    """Those that were timed, the fastest first.

    Args:
        entry: A workload that was measured.
        who: Ours or a peer; None for all peers.
        program: Of ours, those that compile, those that do not, or all.
    """
    found = [one for one in entry["results"] if "median" in one
             and (one["who"] == who if who else one["who"] != OURS)]
    if who == OURS and program != "any":
        found = [one for one in found if ours.is_compiled(one["way"]) == (program == "compiled")]
    return sorted(found, key=lambda one: float(one["median"]))


def name_of(one: Result) -> str:
    """How a candidate is called in tables."""
    return f"{one['who']} ({one['way']})"


def verdict(goal: Goal, entry: Entry) -> tuple[str, str]:
    """What was reached of a goal, and whether that is enough or by how much it is missed."""
    mine = results_of(entry, OURS, goal.program)
    others = _others(goal, entry)
    if not mine:
        return "–", "not measured: no executor of the engine is of that kind"
    if not others:
        return "–", "not measured: no such peer could be timed"
    ratio = _ratio(goal, mine[0], entry)
    what = f"{ratio:.2f}× ({mine[0]['way']}, over {name_of(others[0])})"
    return what, _mark(ratio / goal.ratio)


def _others(goal: Goal, entry: Entry) -> list[Result]:
    """Whom a goal is about, the fastest first."""
    return results_of(entry, None if goal.over == FASTEST else goal.over)


def _ratio(goal: Goal, one: Result, entry: Entry) -> float:
    """How many times as fast one of ours is as the one that a goal is about; 0 where that was not timed."""
    others = _others(goal, entry)
    return float(others[0]["median"] / one["median"]) if others else 0.0


def _mark(reached: float) -> str:
    """Whether this share of a goal is all of it, or what is lacking."""
    return MARKS["reached"] if reached >= 1 else f"{MARKS['missed']}, by {100 * (1 - reached):.0f} %"


def share_of_floor(entry: Entry, one: Result) -> float | None:
    """Of a candidate's time, the share that the counted operations would take at the rate of a matrix product."""
    rate = entry.get("product_rate")
    return entry["operations"] / rate / one["median"] if rate else None


def table(data: dict[str, Any]) -> str:
    """Everything as Markdown."""
    entries = {key: entry for key, entry in data["workloads"].items() if entry["workload"] in WORKLOADS}
    lines = [*_ABOUT, "## Goals", "", *_goals(entries), "", "## Workloads", ""]
    for entry in entries.values():
        lines += _workload(entry)
    lines += _curves(data["curves"])
    lines += ["## Peers", ""]
    lines += [f"- {peer.distribution} {peer.version}: {peer.about}." for peer in PEERS]
    return "\n".join(lines) + "\n"


def _goals(entries: dict[str, Entry]) -> list[str]:
    lines = ["| work | on | goal | measured | |", "|---|---|---|---|---|"]
    for entry in entries.values():
        workload, device = WORKLOADS[entry["workload"]], entry["device"]
        for goal in workload.goals:
            if goal.device == device:
                kind = "" if goal.program == "any" else f", {goal.program}"
                lines.append(f"| {workload.title} | {device} | ≥ {goal.ratio:g}× {goal.over}{kind} | "
                             f"{' | '.join(verdict(goal, entry))} |")
        lines += _other_goals(entry)
    return lines


def _other_goals(entry: Entry) -> list[str]:
    """Rows on the floor and on memory."""
    workload, device = WORKLOADS[entry["workload"]], entry["device"]
    mine = results_of(entry, OURS)
    lines = []
    share = share_of_floor(entry, mine[0]) if mine else None
    if workload.floor is not None and device == "cpu" and share is not None:
        lines.append(f"| {workload.title} | {device} | ≥ {100 * workload.floor:.0f} % of the floor | "
                     f"{100 * share:.0f} % ({mine[0]['way']}) | {_mark(share / workload.floor)} |")
    if memory := _memory(entry):
        lines.append(f"| {workload.title} | {device} | memory ≤ the fastest peer's | {' | '.join(memory)} |")
    return lines


def _memory(entry: Entry) -> tuple[str, str] | None:
    """What one of ours takes that is fast enough and takes no more than the fastest peer, or else the fastest of ours,
    and whether that is enough; None where that was not measured.
    """
    mine, others = results_of(entry, OURS), results_of(entry)
    if not (mine and others) or None in (mine[0].get("step_bytes"), others[0].get("step_bytes")):
        return None
    fastest, peer = mine[0], others[0]
    known = (one for one in mine if one.get("step_bytes") is not None)
    best = next((one for one in known if one["step_bytes"] <= peer["step_bytes"] and _is_fast_enough(one, entry)), None)
    shown = best or fastest
    what = f"{_megabytes(shown['step_bytes'])} ({shown['way']}, {peer['median'] / shown['median']:.2f}×) against " + (
        _megabytes(peer["step_bytes"]))
    if shown is not fastest:
        what += f"; {fastest['way']}, the fastest, takes {_megabytes(fastest['step_bytes'])}"
    lacking = shown["step_bytes"] - peer["step_bytes"]
    why = f"by {_megabytes(lacking)}" if lacking > 0 else "for it is not fast enough"
    return what, MARKS["reached"] if best else f"{MARKS['missed']}, {why}"


def _is_fast_enough(one: Result, entry: Entry) -> bool:
    """Whether one of ours reaches by itself all that is asked of the time."""
    workload, share = WORKLOADS[entry["workload"]], share_of_floor(entry, one)
    kind: Program = "compiled" if ours.is_compiled(one["way"]) else "eager"
    goals = [goal for goal in workload.goals if goal.device == entry["device"] and goal.program in ("any", kind)]
    is_near_the_floor = entry["device"] != "cpu" or None in (workload.floor, share) or share >= workload.floor
    return is_near_the_floor and all(_ratio(goal, one, entry) >= goal.ratio for goal in goals)


def _workload(entry: Entry) -> list[str]:
    """One table of all candidates."""
    workload, about = WORKLOADS[entry["workload"]], entry["about"]
    mine = results_of(entry, OURS)
    lines = [f"### {workload.title}, {entry['device']}", ""]
    if "dataset=glyphs" in about["settings"]:
        lines += ["Omniglot was not at hand: the built-in glyphs, of the same shape, took its place.", ""]
    lines += ["| candidate | ms a step | rounds, ms | tasks/s | time over ours | of the floor | memory of a step | "
              "gradient differs by |", "|---|---|---|---|---|---|---|---|"]
    for one in [*mine, *results_of(entry)]:
        share, rounds = share_of_floor(entry, one), one["seconds"]
        chosen = ", by the rules" if one.get("is_chosen") else ""
        lines.append(
            f"| {name_of(one)}{chosen} | {_ms(one['median'])} | {_ms(min(rounds))} – {_ms(max(rounds))} | "
            f"{about['tasks'] / one['median']:,.0f} | {one['median'] / mine[0]['median'] if mine else 0:.2f}× | "
            f"{'–' if share is None else f'{100 * share:.1f} %'} | {_megabytes(one.get('step_bytes'))} | "
            f"{one['difference']:.0e} |")
    lines.append("")
    lines += [f"- {name_of(one)}: not timed, {one['refused']}." for one in entry["results"] if "refused" in one]
    lines += [f"- {name_of(one)} takes {_ms(one['one_thread'])} ms with one thread." for one in results_of(entry)
              if one.get("one_thread") and one["one_thread"] < one["median"]]
    absent = [peer.distribution for peer in PEERS if not any(about["method"] in has for has in peer.ways.values())]
    if absent:
        lines.append(f"- Their documentation shows no {about['method']}: {', '.join(absent)}.")
    rate = entry.get("product_rate")
    counted = f"- {entry['operations'] / 1e9:,.2f}·10⁹ operations are counted in a step"
    lines.append(f"{counted}; a matrix product runs at {rate / 1e9:,.0f}·10⁹ a second." if rate else f"{counted}.")
    return [*lines, _measured(entry["measured_at"], entry["machine"]), ""]


def _curves(curves: dict[str, Entry]) -> list[str]:
    lines = []
    for curve in curves.values():
        known, values = CURVES[curve["curve"]], [point["value"] for point in curve["points"]]
        lines += [f"### How time grows with {known.axis}: {known.title}, {curve['device']}", "",
                  f"| ms a step, {known.axis}: | {' | '.join(str(value) for value in values)} |",
                  f"|---|{'---|' * len(values)}"]
        timed = [{name_of(one): _ms(one["median"]) for one in point["results"] if "median" in one}
                 for point in curve["points"]]
        for name in dict.fromkeys(name for point in timed for name in point):
            lines.append(f"| {name} | {' | '.join(point.get(name, '–') for point in timed)} |")
        refused = {name_of(one): one["refused"] for point in curve["points"] for one in point["results"]
                   if "refused" in one}
        lines += ["", *(f"- {name}: not timed, {why}." for name, why in refused.items()),
                  _measured(curve["points"][-1]["measured_at"], curve["machine"]), ""]
    return lines


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.3g}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _megabytes(count: int | None) -> str:
    return "–" if count is None else f"{count / 2**20:,.1f} MB"


def _measured(at: str, said: dict[str, Any]) -> str:
    """When, and on what."""
    versions = ", ".join(f"{name} {version}" for name, version in said["versions"].items())
    gpu = f"{said['gpu']}, " if "gpu" in said else ""
    machine = f"{gpu}{said['processor']}, {said['cores']} cores, {said['memory_gib']} GiB, {said['system']}"
    return f"- Measured at {at} on {machine}; {versions}."


def draw(data: dict[str, Any], path: Path) -> None:
    """Write the charts into a file, SVG without the hour or PNG: bars for the workloads, lines for the curves."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "peers", "font.size": 8, "axes.spines.top": False,
                         "axes.spines.right": False})
    entries, curves = list(data["workloads"].values()), list(data["curves"].values())
    tall = [0.32 * (2 + len([one for one in entry["results"] if "median" in one])) for entry in entries]
    heights = [*tall, *[2.6] * ((len(curves) + 1) // 2), *([0.8] if curves else [])]
    if not heights:
        return
    figure = Figure(figsize=(9, sum(heights) + 0.3 * len(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    for row, entry in enumerate(entries):
        _bars(figure.add_subplot(grid[row, :]), entry)
    named: dict[str, Any] = {}
    for number, curve in enumerate(curves):
        named |= _lines(figure.add_subplot(grid[len(entries) + number // 2, number % 2]), curve)
    if named:
        below = figure.add_subplot(grid[-1, :])
        below.set_axis_off()
        below.legend(named.values(), named.keys(), loc="center", ncols=4, fontsize=7, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _bars(axes: Any, entry: Entry) -> None:
    timed = sorted((one for one in entry["results"] if "median" in one), key=lambda one: -one["median"])
    axes.barh([name_of(one) for one in timed], [1e3 * one["median"] for one in timed],
              color=[COLORS[one["who"]] for one in timed])
    for row, one in enumerate(timed):
        axes.text(1e3 * one["median"], row, f" {_ms(one['median'])} ms", va="center")
    axes.margins(x=0.12)
    axes.set_title(f"{WORKLOADS[entry['workload']].title}, {entry['device']}", loc="left", fontsize=8)
    axes.set_xlabel("ms a step")


def _lines(axes: Any, curve: Entry) -> dict[str, Any]:
    """Draw a curve of every candidate; the lines by name."""
    known = CURVES[curve["curve"]]
    names = {name_of(one): one["who"] for point in curve["points"] for one in point["results"] if "median" in one}
    seen: dict[str, int] = {}
    drawn: dict[str, Any] = {}
    for name, who in names.items():
        points = [(point["value"], 1e3 * one["median"]) for point in curve["points"] for one in point["results"]
                  if name_of(one) == name and "median" in one]
        style = _STYLES[seen.get(who, 0) % len(_STYLES)]
        seen[who] = seen.get(who, 0) + 1
        (drawn[name],) = axes.plot(*zip(*points, strict=True), linestyle=style, color=COLORS[who], marker="o",
                                   markersize=2.5, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    values = [point["value"] for point in curve["points"]]
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
    axes.set_xlabel(known.axis)
    axes.set_ylabel("ms a step")
    axes.set_title(f"{known.title}, {curve['device']}", loc="left", fontsize=8)
    return drawn
