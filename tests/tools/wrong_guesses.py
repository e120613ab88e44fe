#!/usr/bin/env python3
"""Asks small questions as a user who has signed in, and as one who signs in anew each time, while others guess passwords.

    tests/tools/wrong_guesses.py target/release/jobindsats-bridge [seconds] [guesses a second]

Starts the program on its simulator with users. The guesses come from 100 addresses, 127.0.1.1 to 127.0.1.100, so that hardly any is refused
unlooked at; the questions come from 127.0.0.1. Prints the slowest and the median answer of each user in milliseconds, and how the guesses
were answered. Fails if an answer took more than 500."""

import base64
import collections
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

LIMIT = 500
program, seconds, rate = sys.argv[1], float((sys.argv[2:] or ["20"])[0]), float((sys.argv[3:] or ["200"])[0])


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def ask(port, source, authorization, path="/odata/Datasets?$top=1"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
    began = time.monotonic()
    connection.request("GET", path, headers={"Authorization": authorization})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, (time.monotonic() - began) * 1000


def users(folder, environment):
    for name in ["anne", *(f"ny{number}" for number in range(40))]:
        subprocess.run([program, "user", "add", name], input=f"hemmelig {name}\n", text=True, env=environment,
                       check=True, capture_output=True)


def guess(port, until, number, of, answers):
    due = time.monotonic() + number / rate
    while due < until:
        time.sleep(max(0, due - time.monotonic()))
        status, _ = ask(port, f"127.0.1.{1 + number}", basic("anne", f"gæt {number} {due}"))
        answers[status] += 1
        due += of / rate


with tempfile.TemporaryDirectory() as folder:
    environment = {**os.environ, "BRIDGE_DATA_DIR": folder, "BRIDGE_LISTEN": "127.0.0.1:0", "NO_COLOR": "1",
                   "BRIDGE_USERS_FILE": f"{folder}/users"}
    users(folder, environment)
    service = subprocess.Popen([program], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        for line in service.stderr:
            if found := re.search(r"paste http://127\.0\.0\.1:(\d+)/", line):
                break
        port = int(found[1])
        threading.Thread(target=lambda: collections.deque(service.stderr, 0), daemon=True).start()
        while ask(port, "127.0.0.1", "", "/readyz")[0] != 200:
            time.sleep(0.1)
        time.sleep(5)
        ask(port, "127.0.0.1", basic("anne", "hemmelig anne"))
        until, answers, of = time.monotonic() + seconds, collections.Counter(), 100
        guessers = [threading.Thread(target=guess, args=(port, until, number, of, answers)) for number in range(of)]
        for one in guessers:
            one.start()
        known, new = [], []
        while time.monotonic() < until:
            status, took = ask(port, "127.0.0.1", basic("anne", "hemmelig anne"))
            assert status == 200, status
            known.append(took)
            if len(new) < 40 and len(known) % 4 == 0:
                name = f"ny{len(new)}"
                status, took = ask(port, "127.0.0.1", basic(name, f"hemmelig {name}"))
                assert status == 200, status
                new.append(took)
            time.sleep(0.05)
        for one in guessers:
            one.join()
    finally:
        service.terminate()
        service.wait()

print(f"{sum(answers.values())} guesses in {seconds:.0f} s: {dict(answers)}")
for what, times in [("who is remembered", known), ("who signs in", new)]:
    print(f"{what}: {len(times)} answers, median {statistics.median(times):.0f} ms, slowest {max(times):.0f} ms")
sys.exit(1 if max(known + new) > LIMIT else 0)
