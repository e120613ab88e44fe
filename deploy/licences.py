#!/usr/bin/env python3
"""Prints the licences of all crates that are built into the program, each text once, below the crates that it belongs to.

    deploy/licences.py x86_64-unknown-linux-gnu

The texts are those in the crates' own packages. A crate that brings none is listed with its licence as its manifest has it, which
deploy/release puts the project's own copies of beside.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

TEXT = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)([-._].*)?", re.IGNORECASE)


def crates(target):
    """The packages that the program is made of: dependencies to build and to run, but not to test."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    found, waiting = {root}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            is_built = any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
            if is_built and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return sorted((packages[found_id] for found_id in found - {root}), key=lambda package: (package["name"], package["version"]))


def texts(package):
    """The licence texts in a package, without trailing blanks, so that equal ones are printed once."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.is_file() and TEXT.fullmatch(path.name))
    for file in files:
        lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        yield "\n".join(line.rstrip() for line in lines)


def main(target):
    of_text, without = collections.defaultdict(list), []
    packages = crates(target)
    for package in packages:
        named = f"{package['name']} {package['version']} ({package['license']})"
        assert package["license"], f"{named} states no licence"
        found = list(dict.fromkeys(texts(package)))
        for text in found:
            of_text[text].append(named)
        if not found:
            without.append(f"{named}: {', '.join(package['authors']) or 'no authors named'}; {package['repository']}")
    print(f"The program contains {len(packages)} crates. Their licences:")
    for text, named in of_text.items():
        print("\n" + "=" * 78, *named, "-" * 78, text, sep="\n")
    print("\n" + "=" * 78, "Crates whose packages have no licence text; MIT and Apache-2.0 are in the files beside this one:", *without, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
