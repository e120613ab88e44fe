#!/usr/bin/env python3
"""Holds a configuration, as `docker-compose config --format json` writes it, to the habits that every service keeps."""

import json
import pathlib
import re
import sys

ENVIRONMENT_OF_SECRETS = re.compile(r"PASSWORD|SECRET|_KEY$|TOKEN")


def check_service(name, service):
    def expect(truth, habit):
        assert truth, f"{name}: {habit}"

    expect(service.get("read_only") is True and "/tmp" in service["tmpfs"], "read-only, with a /tmp of its own")
    expect(service["cap_drop"] == ["ALL"] and not service.get("cap_add"), "no capability")
    expect("no-new-privileges:true" in service["security_opt"] and not service.get("privileged"), "no new privileges")
    expect(re.fullmatch(r"[1-9]\d*:\d+", service["user"]), "a user that is not root")
    expect(service["restart"] == "unless-stopped", "started again")
    limits = service["deploy"]["resources"]["limits"]
    expect(all(limits.get(key) for key in ("memory", "cpus", "pids")), "limits on memory, cpus and pids")
    expect(service["logging"]["options"].keys() >= {"max-size", "max-file"}, "a log that is rotated")
    expect(service["healthcheck"]["test"][0] == "CMD", "a health check that needs no shell")
    expect(service.get("stop_grace_period"), "time to stop")
    image, _, tag = service["image"].rpartition(":")
    expect(image and re.search(r"\d+\.\d+\.\d+", tag), "an image of an exact tag")
    for variable in service.get("environment", {}):
        secret = ENVIRONMENT_OF_SECRETS.search(variable) and not variable.endswith("_FILE")
        expect(not secret, f"{variable} belongs in a file")
    for mount in service.get("volumes", []):
        if mount["type"] == "bind":
            expect(mount.get("read_only"), f"{mount['source']} mounted read-only")
            expect(pathlib.Path(mount["source"]).exists(), f"{mount['source']} does not exist")


def check_ports(services):
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    in_front = {"tls"} & set(services) or ({"balance", "grafana"} if "balance" in services else set())
    for name, ports in published.items():
        assert name in (in_front or {"bridge", "grafana"}), f"{name} is published"
        loopback = all(port.get("host_ip") == "127.0.0.1" for port in ports)
        assert loopback or name == "tls", f"{name} is published beyond loopback"


def main(path):
    config = json.loads(pathlib.Path(path).read_text())
    assert config["name"], "no name"
    for name, service in config["services"].items():
        check_service(name, service)
    check_ports(config["services"])
    services = config["services"]
    assert services["prometheus"]["depends_on"]["bridge"]["condition"] == "service_healthy"
    assert services["bridge"]["healthcheck"]["test"][1:] == ["/usr/local/bin/jobindsats-bridge", "healthcheck"]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")
