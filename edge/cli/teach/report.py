"""Show what came of teaching: the figures of each class, the verdict, and where the bundles are."""

from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.streams import echo, echo_json

if TYPE_CHECKING:
    from edge.bundle.store import Bundle
    from edge.teaching.verdict import Verdict

_WIDEST = 30


def report(old: "Bundle", new: "Bundle", verdict: "Verdict", kept: Path | None, *, as_json: bool) -> None:
    """Print it. kept: where the bundle before is, if the new one took its place."""
    if as_json:
        record = {"before": old.bundle_id, "bundle": new.bundle_id if verdict.better else None}
        places = {"kept": None if kept is None else str(kept), "path": str(new.path) if verdict.better else None}
        echo_json({**record, **places, "verdict": verdict})
        return
    width = min(_WIDEST, max(len(row.label) for row in verdict.rows))
    echo(f"{'class':<{width}}  photos  remembered  before   after   named")
    for row in verdict.rows:
        label = row.label if len(row.label) <= width else f"{row.label[: width - 3]}..."
        before = "new" if row.new else _percent(row.before)
        shares = f"{before:>6}  {_percent(row.after):>6}  {_percent(row.named):>6}"
        echo(f"{label:<{width}}  {row.photos:>6}  {row.remembered:>10}  {shares}")
    echo("each example judged by a layer that had not seen it; named: right, and not `unknown` by the threshold")
    for hint in verdict.hints:
        echo(f"note: {hint}")
    if not verdict.better:
        echo(f"worse: not taken ({verdict.summary}); bundle {old.bundle_id} stays")
        return
    echo(f"better: {verdict.summary}")
    echo(f"{new.path}: bundle {new.bundle_id}, taught from {old.bundle_id}")
    if kept is not None:
        echo(f"the bundle before is kept as {kept}; `fieldfare teach --bundle {new.path} --undo` takes this one back")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
