#!/usr/bin/python3
"""Runs the tests of this folder: run.py [MODULE...] [-k PATTERN] [--list] [--bench].

A test is a function test_*(net) of a test_*.py; net is a FloeLab of its own. It passes if it returns, is skipped if it
raises Skip, and fails otherwise. Parts of a test that count on their own are written `with case("name"):`.
The last line is "N passed, N failed, N skipped"; the exit status is 1 if any failed.
"""
import argparse
import contextlib
import importlib
import inspect
import re
import sys
import threading
import time
import traceback
from pathlib import Path

import harness

HERE = Path(__file__).resolve().parent
LOGS = harness.ROOT / "build/netns-logs"
SEPARATE = {"test_package", "test_kernel_wireguard", "test_tsan"}  # only run when named: take a Debian archive, minutes, or another build


class Skip(Exception):
    """The test cannot run here; the text says why."""


class Abandoned(Exception):
    """A case has failed without which the rest of its test makes no sense."""


class Report:
    """What has passed, failed and been skipped, and the line printed about each."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.lock = threading.Lock()
        self.test, self.cases = "", 0

    def add(self, outcome: str, name: str, seconds: float, detail: str = "") -> None:
        with self.lock:
            self.counts[outcome] += 1
            word = {"passed": "ok", "failed": "FAIL", "skipped": "skip"}[outcome]
            print(f"{word:4} {name:60} {seconds:6.1f} s  {detail}".rstrip(), flush=True)


report = Report()


class Note:
    """What a case wants said beside its name."""

    text = ""

    def __call__(self, text: str) -> None:
        self.text = f"{self.text}; {text}" if self.text else text


@contextlib.contextmanager
def case(name: str, vital: bool = False):
    """A part of a test that passes or fails on its own; yields a Note. Cases may run in threads.

    The rest of the test is left out if a vital one fails."""
    report.cases += 1
    note, started, full = Note(), time.monotonic(), f"{report.test}[{name}]"
    try:
        yield note
    except Skip as why:
        report.add("skipped", full, time.monotonic() - started, str(why))
    except Exception as error:
        report.add("failed", full, time.monotonic() - started, note.text)
        print(_indent(_explain(error)), flush=True)
        if vital:
            raise Abandoned from None
    else:
        report.add("passed", full, time.monotonic() - started, note.text)


def say(text: str) -> None:
    """A line of the report, for what a test measured."""
    print(f"     {text}", flush=True)


def measured(what: str, seconds: float, wanted: float) -> str:
    """How long something took beside how long it may; late is said and not failed, for the machine may be slow."""
    return f"{what} {seconds:.2f} s (wanted: {wanted:g} s{'' if seconds <= wanted else ', LATE'})"


def expect(true: object, text: str) -> None:
    if not true:
        raise AssertionError(text)


def _explain(error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(HERE))]
    at = [f"{Path(frame.filename).name}:{frame.lineno}: {frame.line}" for frame in frames[-4:]]
    return "\n".join([*at, f"{type(error).__name__}: {error}"])


def _indent(text: str) -> str:
    return "\n".join(f"     | {line}" for line in text.splitlines()[:60])


def run_one(name: str, function) -> None:
    report.test, report.cases = name, 0
    failed_before, started = report.counts["failed"], time.monotonic()
    net = None
    try:
        net = harness.FloeLab()
        try:
            detail = function(net) or ""
        except BaseException:
            net.keep(LOGS / name)
            raise
        if report.cases == 0:
            report.add("passed", name, time.monotonic() - started, detail)
    except Skip as why:
        report.add("skipped", name, time.monotonic() - started, str(why))
    except Abandoned:
        pass
    except Exception as error:
        report.add("failed", name, time.monotonic() - started)
        print(_indent(_explain(error)), flush=True)
    finally:
        if net:
            if report.counts["failed"] > failed_before:
                if report.cases:
                    net.keep(LOGS / name)
                say(f"logs: {LOGS / name}")
            net.lab.close()


def discover(pattern: str, modules: list[str]) -> list[tuple[str, object]]:
    found = []
    for path in sorted(HERE.glob(f"{pattern}.py")):
        if path.stem not in modules and (modules or path.stem in SEPARATE):
            continue
        module = importlib.import_module(path.stem)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if re.match(r"test_|bench_", name) and function.__module__ == path.stem:
                found.append((path.stem, function.__code__.co_firstlineno, name, function))
    return [(f"{module}.{name}", function) for module, _, name, function in sorted(found, key=lambda item: item[:2])]


def main() -> int:
    parser = argparse.ArgumentParser(description="Tests of floe in network namespaces. Needs root.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as test_link; all of them if none is named")
    parser.add_argument("-k", metavar="PATTERN", default="", help="only tests whose name holds this regular expression")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--bench", action="store_true", help="run the measurements (bench_*.py), which never fail")
    parser.add_argument("-n", type=int, metavar="RUNS", help="how often a measurement is taken")
    parser.add_argument("--quick", action="store_true", help="measurements: once, and for a second, to see that they work")
    args = parser.parse_args()

    modules = [module.removesuffix(".py") for module in args.modules]
    tests = discover("bench_*" if args.bench else "test_*", modules)
    tests = [(name, function) for name, function in tests if re.search(args.k, name)]
    if args.list:
        print("\n".join(name for name, _ in tests))
        return 0
    if missing := harness.missing_programs():
        print("not built: " + ", ".join(missing) + "\nbuild them with: cmake --preset release && cmake --build build/release")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    harness.lab_cleanup()
    started = time.monotonic()
    for name, function in tests:
        if args.bench and args.quick:
            function.__globals__.update(RUNS=1, SECONDS=1)
        if args.bench and args.n:
            function.__globals__["RUNS"] = args.n
        run_one(name, function)
    print(f"in {time.monotonic() - started:.0f} s")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**report.counts))
    return 1 if report.counts["failed"] or not tests else 0


if __name__ == "__main__":
    import run  # so that the program and the tests it loads share one copy
    sys.exit(run.main())
