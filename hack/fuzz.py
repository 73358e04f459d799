"""Fuzz everything that reads the bytes of others, guided by coverage: see `make fuzz`.

Usage: fuzz.py SECONDS [PARSER…], by their names in tests/support/parsers.py; else all of them, one after the other.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

FOLDER = Path(__file__).resolve().parents[1] / "build" / "fuzz"
MAX_BYTES = 32 * 1024
ONE = "ISEK_FUZZED"
"""Names the parser that a process of its own goes through: libFuzzer ends with its process."""


def fuzz(name: str, seconds: str) -> None:
    """Go through one parser. It does not return."""
    import atheris  # type: ignore  # noqa: PLC0415  (not in the environment)

    with atheris.instrument_imports(include=["isek", "a2a", "jwt", "yarl"]):
        from tests.support.parsers import PARSERS  # noqa: PLC0415
    from tests.support.mutation import mutated  # noqa: PLC0415

    parser = PARSERS[name]
    corpus = FOLDER / name.replace(" ", "-")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    def read(body: bytes) -> None:
        with suppress(*parser.refusals):
            parser.read(body)

    def mutate(body: bytes, max_bytes: int, seed: int) -> bytes:
        random = Random(seed)
        changed: bytes = mutated(body, random) if random.random() < 0.5 else atheris.Mutate(body, max_bytes)
        return changed[:max_bytes]

    options = {"max_total_time": seconds, "max_len": MAX_BYTES, "timeout": 20, "rss_limit_mb": 2048, "verbosity": 0}
    options |= {"artifact_prefix": f"{corpus}.crash-", "print_final_stats": 1}
    atheris.Setup(
        [sys.argv[0], *(f"-{option}={value}" for option, value in options.items()), str(corpus)],
        read,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def main(seconds: str, *names: str) -> int:
    """Go through parsers, each in a process; the exit code: 1 where something was found."""
    from tests.support.parsers import PARSERS  # noqa: PLC0415

    found = []
    for name in names or PARSERS:
        ended = subprocess.run(
            [sys.executable, __file__, seconds],
            env={**os.environ, ONE: name},
            capture_output=True,
            text=True,
            check=False,
        )
        counts = [line.split()[-1] for line in ended.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            f"{name}: {'FOUND SOMETHING' if ended.returncode else 'nothing'} in {''.join(counts) or '?'} tries",
            flush=True,
        )
        if ended.returncode:
            found.append(name)
            print(ended.stdout, ended.stderr, sep="\n", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    if (parser_name := os.environ.get(ONE)) is not None:
        fuzz(parser_name, sys.argv[1])
    sys.exit(main(*sys.argv[1:]))
