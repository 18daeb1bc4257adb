"""What `reframe-firecrest clean` does: choose runs, clean them up, keep their journals in order."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reframe_firecrest.cleaning import journals
from reframe_firecrest.cleaning.leftovers import (
    Leftover,
    is_elsewhere,
    leftover_of,
    nothing_is_left,
    root_of,
)
from reframe_firecrest.cleaning.remote import runs_on_the_system
from reframe_firecrest.cleaning.sweep import sweep
from reframe_firecrest.errors import RunError
from reframe_firecrest.journal.liveness import Standing
from reframe_firecrest.journal.runs import Run, pick, runs_in
from reframe_firecrest.runs import begun_at
from reframe_firecrest.session.registry import make_gateway
from reframe_firecrest.session.session import MakeGateway
from reframe_firecrest.settings import read_settings


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        leftovers: what runs may have left, with what became of it.
        skipped: runs that were left alone, with the reason.
        refused: runs that should have been cleaned up and were not, with the reason.
        forgotten: runs whose journals were deleted.
    """

    leftovers: list[Leftover] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return not self.refused and not any(one.problems or one.left for one in self.leftovers)


@dataclass
class Cleaner:
    """Cleans up what runs left.

    Attributes:
        directory: where the journals are.
        environment: the environment variables, for what is not in a journal.
        dry_run: change nothing, neither there nor here.
        forget: delete the journals of runs of which nothing is left.
        open_gateway: makes a gateway.
    """

    directory: Path
    environment: Mapping[str, str]
    dry_run: bool = False
    forget: bool = False
    open_gateway: MakeGateway = make_gateway

    def named(self, name: str) -> Outcome:
        """Clean up one run.

        Args:
            name: its name, or a beginning that no other has.

        Raises:
            RunError: there is no such run, or it goes on.
            SettingsError: something is missing or wrong.
        """
        run = pick(runs_in(self.directory, name), name, self.directory)
        if run.standing is Standing.GOES_ON:
            raise RunError(f"run {run.name} goes on ({_whose(run)}); stop it first")
        outcome = Outcome()
        outcome.refused += self._choose(run, outcome)
        return self._clean(outcome, [run])

    def over(self, older_than: float = 0.0) -> Outcome:
        """Clean up all runs that are over.

        Args:
            older_than: seconds that must have passed since a run began.

        Raises:
            RunError: a journal can't be read.
            SettingsError: something is missing or wrong.
        """
        outcome = Outcome()
        chosen = []
        for run in runs_in(self.directory):
            if time.time() - run.begun < older_than:
                continue
            if run.standing is Standing.GOES_ON:
                outcome.skipped.append((run.name, f"it goes on ({_whose(run)})"))
                continue
            chosen.append(run)
            outcome.skipped += self._choose(run, outcome)
        return self._clean(outcome, chosen)

    def remote(self, older_than: float) -> Outcome:
        """Clean up all runs that have a directory on the system, whether they are known here or not.

        Args:
            older_than: seconds that must have passed since a run began.

        Raises:
            RunError: a journal can't be read.
            SettingsError: something is missing or wrong.
            GatewayError: the gateway does not tell which there are.
        """
        settings = read_settings([], self.environment)
        known = {run.name: run for run in runs_in(self.directory)}
        outcome = Outcome()
        for name in runs_on_the_system(settings, self.open_gateway):
            begun = begun_at(name)
            if begun is None or time.time() - begun < older_than:
                continue
            run = known.get(name)
            if run is not None and run.standing is Standing.GOES_ON:
                outcome.skipped.append((name, f"it goes on ({_whose(run)})"))
                continue
            leftover = Leftover(name, root_of(settings, name), settings)
            for story in run.stories if run else ():
                here = (story.opened.url, story.opened.system) == (str(settings.url), settings.system)
                if here and story.opened.root == leftover.root:
                    leftover = leftover_of(story, self.environment)
            outcome.leftovers.append(leftover)
        chosen = [known[one.run] for one in outcome.leftovers if one.run in known]
        return self._clean(outcome, chosen)

    def _choose(self, run: Run, outcome: Outcome) -> list[tuple[str, str]]:
        """Add what a run may have left to an outcome; return what is another gateway's."""
        elsewhere = []
        for story in run.stories:
            if nothing_is_left(story):
                continue
            if is_elsewhere(story, self.environment):
                why = f"it was at {story.opened.url}, and FIRECREST_URL is another gateway"
                elsewhere.append((run.name, why))
                continue
            try:
                outcome.leftovers.append(leftover_of(story, self.environment))
            except RunError as error:
                outcome.refused.append((run.name, str(error)))
        return elsewhere

    def _clean(self, outcome: Outcome, chosen: Sequence[Run]) -> Outcome:
        if outcome.leftovers:
            sweep(outcome.leftovers, dry_run=self.dry_run, open_gateway=self.open_gateway)
        if not self.dry_run:
            for leftover in outcome.leftovers:
                try:
                    journals.note(leftover)
                except OSError as error:
                    leftover.complain(f"its journal can't be written: {error.strerror or error}")
            self._forget(outcome, [run.name for run in chosen if self.forget])
        return outcome

    def _forget(self, outcome: Outcome, chosen: Iterable[str]) -> None:
        """Delete the journals of old and of chosen runs, of those of which nothing is left."""
        try:
            runs = runs_in(self.directory)
        except RunError as error:
            outcome.refused.append((str(self.directory), str(error)))
            return
        names = set(chosen)
        for run in runs:
            if not journals.is_of_no_use(run, keep=run.name not in names):
                continue
            try:
                journals.forget(run)
            except OSError as error:
                outcome.refused.append((run.name, f"its journal can't be deleted: {error.strerror or error}"))
            else:
                outcome.forgotten.append(run.name)


def _whose(run: Run) -> str:
    opened = run.stories[0].opened
    heard = time.localtime(max(story.last for story in run.stories))
    return f"process {opened.pid} on {opened.host}, last heard of at {time.strftime('%Y-%m-%d %H:%M', heard)}"
