#!/usr/bin/env python3
"""Hold $metadata documents against the published schemas of CSDL.

    validate_metadata.py FILE_OR_URL...

A document that begins with `<` is checked against edmx.xsd and edm.xsd, any other against csdl.schema.json. A URL is
asked for as it is; JSON from a service needs `?$format=json`. Needs `pip install lxml jsonschema-rs`. Prints one
line a document and fails if one is not valid.
"""

import json
import pathlib
import sys
import urllib.request

import jsonschema_rs
from lxml import etree

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "xsd"


def read(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        with urllib.request.urlopen(source, timeout=60) as response:
            return response.read()
    return pathlib.Path(source).read_bytes()


def xml_faults(document: bytes) -> str:
    schema = etree.XMLSchema(etree.parse(SCHEMAS / "edmx.xsd"))
    try:
        schema.validate(etree.fromstring(document))
    except etree.XMLSyntaxError as fault:
        return str(fault)
    return "\n".join(f"line {fault.line}: {fault.message}" for fault in schema.error_log)


def json_faults(document: bytes) -> str:
    schema = json.loads((SCHEMAS / "csdl.schema.json").read_bytes())
    # Names are 128 letters of any alphabet, which compiles to more than the customary limit.
    patterns = jsonschema_rs.RegexOptions(size_limit=1 << 30)
    validator = jsonschema_rs.Draft7Validator(schema, pattern_options=patterns)
    try:
        faults = validator.iter_errors(json.loads(document))
        return "\n".join(f"{list(fault.instance_path)}: {fault.message:.300}" for fault in faults)
    except ValueError as fault:
        return str(fault)


def main(sources: list[str]) -> int:
    if not sources:
        print(__doc__)
        return 2
    failed = False
    for source in sources:
        document = read(source)
        is_xml = document.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
        faults = xml_faults(document) if is_xml else json_faults(document)
        print(f"{source}: {'XML' if is_xml else 'JSON'} {'NOT VALID' if faults else 'valid'}")
        if faults:
            print(faults)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
