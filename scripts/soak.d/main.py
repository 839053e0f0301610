"""Tries gotrace on what is hard on it, and compares with how it goes without; scripts/soak starts this."""

import argparse
import sys

import building
import gotests
import torture
from said import say


def main():
    """Tries what is asked for; ends with 1 where something differs or was lost."""
    parser = argparse.ArgumentParser(prog="scripts/soak")
    parser.add_argument("--program", required=True)
    parser.add_argument("--backend", choices=gotests.WAYS, default="bpf")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--run")
    parser.add_argument("--torture", type=int)
    parser.add_argument("--go", action="append")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("packages", nargs="*")
    options = parser.parse_args()
    if options.torture is not None:
        complaints = torture.complaints(options.program, options.torture, options.go)
    elif options.build:
        complaints = building.complaints(options.program, options.packages or ["std"])
    else:
        complaints = gotests.complaints(options)
    for complaint in complaints:
        print(complaint)
    say("nothing differs, and nothing was lost that is not told above" if not complaints else f"{len(complaints)} complaints")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
