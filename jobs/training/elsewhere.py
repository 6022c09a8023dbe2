"""A run that another trainer did, taken back: its reports become events and its weights the result. Without torch."""

from __future__ import annotations

from pathlib import Path

from studio_core import handover, methods
from studio_core.base.atomic import read_json, whole_folder
from studio_core.base.clock import iso
from studio_core.handover import weights
from studio_core.handover.curves import Curves, Report
from studio_core.runs.run_folder import MODEL, SPEC, EventWriter
from studio_core.runs.spec import RunSpec


def main(run_dir: Path) -> None:
    run = RunSpec.model_validate(read_json(run_dir / SPEC))
    assert run.elsewhere
    there, events = run.elsewhere, EventWriter(run_dir)
    folder, result = Path(there.folder), Path(there.folder, there.weights).resolve()
    events.write("phase", phase="loading")
    trainer = handover.named(there.trainer)
    way = trainer.ways.get(run.spec.method)
    # Both before the first report: a run whose weights are refused shows no curves.
    curves = trainer.log.curves(folder, way.ours if way else {})
    found = weights.check(result, run.model, methods.named(run.spec.method).writes)
    by = f"{trainer.title} {there.version}"
    events.write("config", values={"trainer": by, "weights_saved_by": found.library, "metrics": curves.files})
    report(events, curves, trainer.metrics)
    events.write("phase", phase="saving")
    with whole_folder(run_dir / MODEL) as partial:
        left = weights.copy(result, partial, run.model)
    if left:
        events.write(
            "notice",
            level="info",
            key="handover.notice.files_left",
            values={"n": len(left), "files": weights.told(left)},
        )
    step = max(curves.reports, default=0)
    events.write(
        "result",
        state="elsewhere",
        by=by,
        model=str(run_dir / MODEL),
        kind=found.kind,
        step=step,
        total_steps=curves.total_steps,
        seconds=round(curves.seconds, 2) if curves.seconds else None,
        parameters=found.parameters or None,
    )


def report(events: EventWriter, curves: Curves, where: str) -> None:
    """Every report in the order of its steps, and a notice of what could not become one."""
    for step in sorted(curves.reports):
        events.write("metrics", **_event(curves.reports[step], curves.total_steps))
    if not curves.reports:
        events.write("notice", level="warning", key="handover.notice.no_metrics", values={"where": where})
    if curves.no_numbers:
        names = sorted(curves.no_numbers)
        events.write(
            "notice",
            level="info",
            key="handover.notice.no_numbers",
            values={"n": len(names), "names": weights.told(names)},
        )


def _event(report: Report, total_steps: int | None) -> dict[str, object]:
    event: dict[str, object] = {
        "step": report.step,
        "total_steps": total_steps,
        "epoch": report.epoch,
        "tokens": report.tokens,
        "values": report.values,
    }
    return {**event, "at": iso(report.at)} if report.at else event
