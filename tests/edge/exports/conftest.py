"""Exports from a store in memory."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from exporting import FakeStore

from edge.exports import export as exports
from edge.exports import noting
from edge.exports.copying.record import Format
from edge.exports.export import Outcome, Request
from edge.exports.taxa import no_taxa
from edge.store.records import Filter, StoredEvent


@pytest.fixture(scope="session")
def run_export(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the function that exporting.Run describes."""
    numbers, place = itertools.count(), tmp_path_factory.mktemp("exports")

    def run(events: Sequence[StoredEvent] | FakeStore, form: Format, **keys: Any) -> tuple[Path, Outcome, FakeStore]:
        store = events if isinstance(events, FakeStore) else FakeStore(events)
        given = {"store": place / "events.db", "out": place / str(next(numbers)), "wanted": Filter()}
        request = Request(form=form, **(given | {"taxon_of": no_taxa} | keys))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(exports, "StoreReader", lambda path: store)
            patch.setattr(noting, "carry_out", store.carry_out)
            patch.setattr(noting, "refuse_unwritable", lambda path: None)
            return request.out, exports.export(request, lambda progress: None), store

    return run
