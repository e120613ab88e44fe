#!/usr/bin/env python3
"""Makes a release archive of a program with deploy/release, twice, and looks at what came of it.

    tests/tools/release_checks.py target/debug/jobindsats-bridge

Both archives are equal, the checksum is right, the unpacked program runs and names its version, the list of dependencies is CycloneDX by its
schema and has the crates whose licences are there, and no path of this machine is in the text files. Needs what deploy/release needs and, from
PyPI, cyclonedx-python-lib[json-validation].
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What whoever installs from the archive is told to use.
WANTED = {
    "BUILD", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "LICENSES-OF-DEPENDENCIES", "README.md", "SECURITY.md", "deploy/jobindsats-bridge.service",
    "deploy/settings", "docs/operations.md", "grafana/prometheus/rules.yml", "jobindsats-bridge", "jobindsats-bridge.cdx.json",
}


def release(program):
    done = subprocess.run([ROOT / "deploy/release", "--program", program], cwd=ROOT, check=True, capture_output=True, text=True)
    return ROOT / done.stdout.splitlines()[-1]


def check_checksum(archive):
    stated, name = pathlib.Path(f"{archive}.sha256").read_text().split()
    assert name == archive.name and stated == hashlib.sha256(archive.read_bytes()).hexdigest(), "the checksum is wrong"


def check_content(folder):
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert WANTED <= names, f"missing: {WANTED - names}"
    said = subprocess.run([folder / "jobindsats-bridge", "--version"], check=True, capture_output=True, text=True).stdout
    build = (folder / "BUILD").read_text()
    assert re.fullmatch(r"jobindsats-bridge \S+, revision \S+", said.strip()), said
    assert build.startswith(said), f"{build!r} does not begin with {said!r}"
    compiler = re.search(r"^compiled by rustc version (\S+ \(\S+ \S+\))$", build, re.MULTILINE)
    assert compiler and compiler[1] in (folder / "jobindsats-bridge").read_bytes().decode("latin-1"), build
    assert re.search(r"GLIBC_2\.\d+", build), f"no version of glibc: {build}"
    for name in ("BUILD", "LICENSES-OF-DEPENDENCIES", "jobindsats-bridge.cdx.json"):
        text = (folder / name).read_text()
        found = [place for place in (str(ROOT), os.path.expanduser("~")) if place in text]
        assert not found, f"{name} names {found}"


def check_bill(folder):
    text = (folder / "jobindsats-bridge.cdx.json").read_text()
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert (wrong := validator.validate_str(text)) is None, f"the list of dependencies: {wrong}"
    assert validator.validate_str(text.replace('"application"', '"aplication"')), "the schema accepts everything"
    listed = {(component["name"], component["version"]) for component in json.loads(text)["components"]}
    licences = (folder / "LICENSES-OF-DEPENDENCIES").read_text()
    licensed = set(re.findall(r"^(\S+) (\d\S+) \(.*\)(?:: .*)?$", licences, re.MULTILINE))
    without = re.findall(r"^\S+ \d\S+ \((.*)\): .*$", licences, re.MULTILINE)
    assert without and all({"MIT", "Apache-2.0"} & set(re.split(r" OR |/", licence)) for licence in without), f"no text of {without}"
    assert listed == licensed, f"in one of the list and the licences alone: {sorted(listed ^ licensed)}"
    return len(listed)


def main(program):
    archive = release(program)
    first = archive.read_bytes()
    assert release(program).read_bytes() == first, "the same program gives two archives"
    check_checksum(archive)
    with tempfile.TemporaryDirectory() as place, tarfile.open(archive) as opened:
        assert all(member.uid == 0 and member.mode & 0o022 == 0 for member in opened), "an owner or a mode of this machine"
        opened.extractall(place, filter="data")
        (folder,) = pathlib.Path(place).iterdir()
        check_content(folder)
        print(f"{archive.name}: {check_bill(folder)} dependencies")


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]).resolve())
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")
