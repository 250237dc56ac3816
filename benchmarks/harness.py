"""Times peers beside each other, counts their digits and their memory, prints a table.

One process, interleaved rounds (A B C A B C ...): a busy moment of the machine hits all peers
alike. Each sample is preceded by a pause, because numpy and scipy bundle separate OpenBLAS pools
whose idle threads spin for a while and slow whoever runs next. The ratio is the median over the
rounds of (peer / reference within one round), which drift of the clock speed leaves alone. Short
calls are repeated inside a sample until it lasts `SAMPLE_SECONDS`.

Memory is the peak beyond the input in a separate, untimed call: `arrays` as tracemalloc sees it
(numpy's arrays; not the work space LAPACK wrappers allocate for themselves), `resident` as the
kernel sees it (everything; Linux only; blurred by some MB of memory that the allocator kept from
before).
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import math
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from answers import Answer, correct_digits
from peers import Fit, Peer, prepare
from problems import LinearProblem
from report import Report, Row, print_environment
from threadpoolctl import threadpool_limits

PAUSE_SECONDS = 0.12
SAMPLE_SECONDS = 0.005
REFERENCE = "sklsq"


# --- command line --------------------------------------------------------------------------------


def parser(
    description: str | None, *, rounds: int | None = 7, peers: bool = True
) -> argparse.ArgumentParser:
    """Options of a run: of its timing (unless `rounds` is None), and of its choice of peers."""
    result = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = result.add_argument
    if peers:
        add("--only", type=names, default=None, help="peers to take, e.g. sklsq,np.polyfit")
    if rounds is not None:
        add("--rounds", type=int, default=rounds, help="interleaved; at least 5 to be quoted")
        add("--blas-threads", type=int, default=None, help="limit the BLAS pools")
        add("--json", type=Path, default=None, help="also write the rows to this file")
    return result


def names(text: str) -> list[str]:
    return text.split(",")


def sizes(text: str) -> list[int]:
    return [int(float(part)) for part in text.split(",")]


@contextmanager
def reporting(options: argparse.Namespace):
    """A Report for the length of a run."""
    print_environment()
    report = Report()
    yield report
    if getattr(options, "json", None) is not None:
        report.write(options.json)


# --- measuring -----------------------------------------------------------------------------------


def measure(problem: LinearProblem, peers: list[Peer], options: argparse.Namespace) -> list[Row]:
    """Digits, memory and time of every peer that is installed and does not fail on this problem."""
    answers = answers_of(problem, peers, options)
    notes = {peer.name: peer.note for peer in peers}
    with warnings.catch_warnings(), threadpool_limits(options.blas_threads):
        warnings.simplefilter("ignore")
        calls = {
            peer.name: partial(prepare(peer), problem) for peer in peers if peer.name in answers
        }
        memory = {name: peak_megabytes(call) for name, call in calls.items()}
        samples = interleave(calls, options.rounds)
    ratios = ratios_beside(samples)
    return [
        Row(
            workload=problem.name,
            name=name,
            seconds=statistics.median(samples[name]),
            ratio=ratios[name],
            array_megabytes=memory[name][0],
            resident_megabytes=memory[name][1],
            digits_params=correct_digits(answer.params, problem.answer.params),
            digits_std=correct_digits(answer.std, problem.answer.std),
            note=notes[name],
        )
        for name, answer in answers.items()
    ]


def digits(
    problem: LinearProblem, peers: list[Peer], options: argparse.Namespace
) -> dict[str, tuple[float, float]]:
    """Correct digits (parameters, standard errors) of every peer, untimed."""
    return {
        name: (
            correct_digits(answer.params, problem.answer.params),
            correct_digits(answer.std, problem.answer.std),
        )
        for name, answer in answers_of(problem, peers, options).items()
    }


def answers_of(
    problem: LinearProblem, peers: list[Peer], options: argparse.Namespace
) -> dict[str, Answer]:
    """One call of every peer that was asked for, is installed and does not raise; it also warms
    up.
    """
    answers = {}
    for peer in peers:
        wanted = options.only is None or peer.name in options.only
        fit = prepare(peer) if wanted else None
        answer = fit and attempt(peer.name, fit, problem)
        if answer is not None:
            answers[peer.name] = answer
    return answers


def attempt(name: str, fit: Fit, problem: LinearProblem) -> Answer | None:
    """One call; a peer that raises is reported and left out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fit(problem)
    except Exception as error:
        print(f"left out {name} on {problem.name}: {type(error).__name__}: {error}")
        return None


def interleave(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds per call of every callable in every round."""
    repeats = {name: repeats_needed(call) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(PAUSE_SECONDS)
            samples[name].append(seconds_per_call(call, repeats[name]))
    return samples


def repeats_needed(call: Callable[[], object]) -> int:
    seconds_per_call(call, 1)
    return max(1, math.ceil(SAMPLE_SECONDS / seconds_per_call(call, 1)))


def seconds_per_call(call: Callable[[], object], repeats: int) -> float:
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - start) / repeats
    finally:
        if collecting:
            gc.enable()


def ratios_beside(samples: dict[str, list[float]], reference: str = REFERENCE) -> dict[str, float]:
    """Median over rounds of the time relative to `reference` in the same round; NaN without it."""
    if reference not in samples:
        return dict.fromkeys(samples, math.nan)
    return {
        name: statistics.median(a / b for a, b in zip(taken, samples[reference], strict=True))
        for name, taken in samples.items()
    }


def peak_megabytes(call: Callable[[], object]) -> tuple[float, float]:
    """Peak beyond what was there before: (arrays seen by tracemalloc, resident memory)."""
    return traced_peak(call), resident_peak(call)


def traced_peak(call: Callable[[], object]) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call()
        return (tracemalloc.get_traced_memory()[1] - before) / 1e6
    finally:
        tracemalloc.stop()


def resident_peak(call: Callable[[], object]) -> float:
    """NaN where the kernel cannot reset its high-water mark (anything but Linux)."""
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status_megabytes("VmRSS")
    except (OSError, AttributeError):
        return math.nan
    call()
    return max(0.0, _status_megabytes("VmHWM") - before)


def _status_megabytes(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError(f"{key} is not in /proc/self/status")
