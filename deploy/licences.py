#!/usr/bin/env python3
"""Prints the licences of all crates that are built into the program, each text once, below the crates that it belongs to.

    deploy/licences.py x86_64-unknown-linux-gnu

The texts are those in the crates' own packages. A crate that brings none has that of a crate of its repository under the same licence. Where
there is none either, the crate is listed with its licence as its manifest has it; that must be one of which deploy/release puts the project's
own copy beside.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

# Licences whose text is a file of the project.
COPIED = {"MIT", "Apache-2.0"}
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


def terms(package):
    """The repository of a package, whichever folder of it, and the licence."""
    return (package["repository"] or package["name"]).split("/tree/")[0].removesuffix(".git"), package["license"]


def main(target):
    of_text, without = collections.defaultdict(list), []
    packages = crates(target)
    of_terms = {terms(package): list(texts(package)) for package in packages if any(texts(package))}
    for package in packages:
        named = f"{package['name']} {package['version']} ({package['license']})"
        assert package["license"], f"{named} states no licence"
        found = list(dict.fromkeys(texts(package))) or of_terms.get(terms(package), [])
        for text in found:
            of_text[text].append(named)
        if not found:
            choices = set(re.split(r" OR |/", package["license"]))
            assert choices & COPIED, f"{named} brings no text of its licence, and the project has none"
            without.append(f"{named}: {', '.join(package['authors']) or 'no authors named'}; {package['repository']}")
    print(f"The program contains {len(packages)} crates. Their licences:")
    for text, named in of_text.items():
        print("\n" + "=" * 78, *named, "-" * 78, text, sep="\n")
    head = "Crates whose packages have no licence text; MIT and Apache-2.0 are in the files beside this one:"
    print("\n" + "=" * 78, head, *without, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
