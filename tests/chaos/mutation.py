"""Whether the judges find what is broken on purpose: a short run for each mutant, with its faults.

    load || faults, on workers with a patch -> the verifier and the checker -> they must find something

Run it with `python -m tests.chaos --mutants`. The same runs with patches that do no harm must find nothing.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.chaos.alarms import false_alarms
from tests.chaos.faults import PAST_THE_SESSION_S
from tests.chaos.keeper import LOOK_EVERY_S, Keeper
from tests.chaos.mutants import FLOWS, HOLDS, MUTANTS, THAW, THAW_LATE, Mutant
from tests.chaos.run import Load, checker_of, running, say
from tests.chaos.schedule import Strike
from tests.integration.cluster import problems

SEED = 7
LOAD_S = 14.0
FAULT_AFTER_S = 3.0
FREEZES_WITHIN_S = 30.0
STREAMS_WITHIN_S = 30.0
"""How long streams that do not get on are waited for: many mutants never come to the end of their logs."""


class Found(NamedTuple):
    """What the judges say of a mutant."""

    name: str
    checker: list[str]
    verifier: list[str]
    workers: list[str]
    """Alarms of the workers themselves."""
    stopped: str | None
    """Why the run could not be finished: the workers, or the load, did not get through."""

    @property
    def anything(self) -> bool:
        """Whether the mutant was found."""
        return bool(self.checker or self.verifier or self.workers or self.stopped)


def judge(folder: Path, mutant: Mutant) -> Found:
    """Run workers with a patch under load and faults; return what is found."""
    checker: list[str] = []
    verifier: list[str] = []
    said: list[str] = []
    workers = range(mutant.workers)
    program = ["-m", "tests.chaos.mutants", mutant.name]
    with running(folder, program, workers) as (keeper, faults):
        load = Load(keeper.cluster, SEED, LOAD_S, mutant.rate, STREAMS_WITHIN_S)
        try:
            faults.logs.load = load
            load.start()
            load.flowing.wait()
            (keeper.cluster.settings.data_dir / FLOWS).touch()
            started = time.monotonic()
            for number, fault in enumerate(mutant.faults):
                if fault in (THAW, THAW_LATE):
                    thaw(keeper, PAST_THE_SESSION_S[fault == THAW_LATE])
                    continue
                time.sleep(FAULT_AFTER_S)
                faults.strike(Strike(0.0, fault, number % mutant.workers, number))
            load.join(max(0.0, started + LOAD_S - time.monotonic()))
            load.end()
            for number in workers:
                keeper.wait_ready(number)
            verifier += problems(keeper.cluster.verify(timeout_s=STREAMS_WITHIN_S))
            said += false_alarms(keeper.cluster.settings, mutant.faults)
            checker += map(str, checker_of(keeper.cluster).check(quiet=True))
        except (AssertionError, OSError, RuntimeError) as error:
            return Found(mutant.name, checker, verifier, said, f"{type(error).__name__}: {error}"[:300])
    return Found(mutant.name, checker, verifier, said, None)


def thaw(keeper: Keeper, past_s: float) -> None:
    """Wait for a worker that has stopped itself, and let it go on so long after its session is over."""
    deadline = time.monotonic() + FREEZES_WITHIN_S
    while True:
        for process in map(keeper.process, sorted(keeper.wanted)):
            if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
                time.sleep(keeper.cluster.settings.session_timeout_s + past_s)
                process.send_signal(signal.SIGCONT)
                return
        if time.monotonic() > deadline:
            raise AssertionError("no worker has stopped itself")
        time.sleep(LOOK_EVERY_S)


def survey(names: Sequence[str]) -> dict[str, Any]:
    """Judge mutants (all of them, and the harmless patches, where none is named); return the figures."""
    chosen = {**MUTANTS, **HOLDS}
    wrong = []
    found = {}
    for name in names or chosen:
        folder = Path(tempfile.mkdtemp(prefix=f"ledgerflow-mutant-{name}-"))
        said = found[name] = judge(folder, chosen[name])
        holds = name in HOLDS
        right = holds is not said.anything
        say(f"{'ok  ' if right else 'FAIL'} {name}: {summary(said)}")
        if right:
            shutil.rmtree(folder)
        else:
            wrong.append(name)
            say(f"     data and logs are kept in {folder}")
    mutants = [name for name in found if name in MUTANTS]
    return {
        "mutants": len(mutants),
        "caught": sum(found[name].anything for name in mutants),
        "caught_by_workers": sum(bool(found[name].workers) for name in mutants),
        "caught_by_the_checker": sum(bool(found[name].checker) for name in mutants),
        "harmless": len(found) - len(mutants),
        "wrong": wrong,
    }


def summary(found: Found) -> str:
    """Return in a line what was found."""
    said = {"checker": found.checker, "verifier": found.verifier, "workers": found.workers}
    parts = [
        f"{judge} {sorted({problem.partition(':')[0] for problem in problems})}"
        for judge, problems in said.items()
        if problems
    ]
    return "; ".join([*parts, *([found.stopped] if found.stopped else [])]) or "nothing"
