"""The real program under load: syncs, CPU and manager calls of a request, and requests a second.

usage: load.py PROGRAM [--delay-ms N] [--callers 1,16,64] [--requests N]

It makes an installation in a temporary folder, starts the simulated manager and the server, and
asks over MCP. Each sync of the server's disk is counted and takes as long as --delay-ms says, so
that figures do not depend on the disk; a raw writer with group commit runs under the same disk in
the same run. Counts are exact. Times are ratios to the raw writer: other work on the machine
changes both.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_long *count;
static long delay_us;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SYNC_COUNT_FILE"), *delay = getenv("SYNC_DELAY_US");
    int file = path ? open(path, O_RDWR) : -1;
    if (file >= 0) {
        void *map = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map != MAP_FAILED) count = map;
        close(file);
    }
    delay_us = delay ? atol(delay) : 0;
}

static int sync_instead(void) {
    if (count) atomic_fetch_add(count, 1);
    if (delay_us) usleep((useconds_t)delay_us);
    return 0;
}

int fsync(int file) { (void)file; return sync_instead(); }
int fdatasync(int file) { (void)file; return sync_instead(); }
"""

POLICY = """
@id("bench.at-once")
@why("the benchmark lets it run")
permit (principal, action in Countersign::Action::"run", resource);
"""


class Syncs:
    """A library that replaces the syncs of a process, and how often it did."""

    def __init__(self, folder, delay_ms):
        self.file = folder / "syncs"
        self.file.write_bytes(bytes(8))
        source, self.library = folder / "shim.c", folder / "shim.so"
        source.write_text(SHIM)
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-o", self.library, source], check=True
        )
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(self.library),
            "SYNC_COUNT_FILE": str(self.file),
            "SYNC_DELAY_US": str(int(delay_ms * 1000)),
        }

    def count(self):
        return int.from_bytes(self.file.read_bytes(), sys.byteorder)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def wait_for(port, path, log=None):
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            connection.getresponse()
            return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"nothing answers on {port}{path}: {log.read_text() if log else ''}")


class Installation:
    """A server on a simulated manager, with at least one agent for each caller."""

    def __init__(self, program, folder, syncs, callers, at_once):
        self.program, self.folder = program, folder
        self.port, self.manager_port = free_port(), free_port()
        self.manager = subprocess.Popen(
            [program, "simulate-wazuh", "--listen", f"127.0.0.1:{self.manager_port}"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        said = self.manager.stdout.readline() + self.manager.stdout.readline()
        secrets = {"password": "a good passphrase", "manager.password": said.split()[-1]}
        for name, secret in secrets.items():
            (folder / name).touch(0o600)
            (folder / name).write_text(secret)
        self.run("init", ".", "--password-file", "password")
        (folder / "countersign.toml").write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\n'
            f'public_url = "http://127.0.0.1:{self.port}"\n'
            f'[manager.main]\nurl = "http://127.0.0.1:{self.manager_port}"\nuser = "wazuh"\n'
            'password_file = "manager.password"\ncalls_per_minute_max = 300\ncalls_in_flight = 64\n'
            "[agents]\nopen_requests_max = 1000\nasks_per_minute_max = 1000\n"
        )
        if at_once:
            for file in (folder / "policies").glob("20_*.cedar"):
                file.write_text(POLICY)
            for file in (folder / "policies" / "tests").glob("*"):
                file.unlink()
        self.run("person", "add", "bob", "--role", "senior", "--password-file", "password")
        self.tokens = []
        for number in range(max(callers, 16)):
            added = self.run("--json", "agent", "add", f"bot-{number}", "--owner", "bob")
            self.tokens.append(json.loads(added)["token"])
        self.log = open(folder / "log", "w")
        self.server = subprocess.Popen(
            [program, "serve"],
            cwd=folder,
            env={**syncs.environment, "COUNTERSIGN_LOG": "warn"},
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )
        wait_for(self.port, "/readyz", folder / "log")

    def run(self, *arguments):
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder, capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def stop(self):
        for process in (self.server, self.manager):
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        self.log.close()


class Caller(threading.Thread):
    """Asks again and again, each time for another address."""

    def __init__(self, installation, number, requests, wait, begin):
        super().__init__()
        self.installation, self.number = installation, number
        self.requests, self.wait, self.begin = requests, wait, begin
        self.times, self.problems = [], []

    def ask(self, connection, address, token):
        arguments = {"srcip": address, "agent_ids": ["001"], "duration_seconds": 600}
        arguments |= {"reason": "load", "wait_seconds": self.wait}
        call = {"name": "block_ip", "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        connection.request("POST", "/mcp", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.installation.port, timeout=60)
        connection.connect()
        self.begin.wait()
        for request in range(self.requests):
            address = f"203.{self.number}.{request // 250}.{request % 250 + 1}"
            began = time.monotonic()
            # No agent uses up its share of the calls to the manager.
            tokens = self.installation.tokens
            status, text = self.ask(connection, address, tokens[(self.number + request) % len(tokens)])
            self.times.append(time.monotonic() - began)
            # An answer of a tool that failed says so.
            if status != 200 or re.search(r'"isError":\s*true', text):
                self.problems.append(text[:300])


def load(installation, syncs, callers, requests, wait):
    """Figures of one closed loop."""
    begin = threading.Barrier(callers + 1)
    threads = [
        Caller(installation, number, requests, wait, begin) for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    cpu, count = cpu_seconds(installation.server.pid), syncs.count()
    begin.wait()
    began = time.monotonic()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    # What an ask leaves to do belongs to it.
    time.sleep(1.2)
    problems = [problem for thread in threads for problem in thread.problems]
    if problems:
        sys.exit(f"{len(problems)} asks failed, the first: {problems[0]}")
    total = callers * requests
    times = sorted(one for thread in threads for one in thread.times)
    return {
        "per_second": total / took,
        "syncs": (syncs.count() - count) / total,
        "cpu_ms": (cpu_seconds(installation.server.pid) - cpu) / total * 1000,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "resident_mib": resident_mib(installation.server.pid),
    }


def raw(folder, seconds, submitters):
    """Commits a second of a writer that drains what waits into one transaction, run by itself under
    the same disk: a row of a request and two chained audit rows for each job."""
    database = sqlite3.connect(folder / "raw.db", isolation_level=None, check_same_thread=False)
    for sql in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA wal_autocheckpoint = 4000",
        "CREATE TABLE IF NOT EXISTS request (id TEXT PRIMARY KEY, state TEXT, body TEXT)",
        "CREATE TABLE IF NOT EXISTS audit (seq INTEGER PRIMARY KEY, body TEXT, hash TEXT)",
    ):
        database.execute(sql)
    lock, ready = threading.Lock(), threading.Condition()
    waiting, done, stop = [], [0], [False]

    def submit():
        while not stop[0]:
            answered = threading.Event()
            with ready:
                waiting.append(answered)
                ready.notify()
            answered.wait(5)
            with lock:
                done[0] += 1

    threads = [threading.Thread(target=submit, daemon=True) for _ in range(submitters)]
    for thread in threads:
        thread.start()
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with ready:
            while not waiting:
                ready.wait(1)
            batch, waiting[:] = waiting[:], []
        database.execute("BEGIN IMMEDIATE")
        for _ in batch:
            number += 1
            row = (f"{time.monotonic_ns()}-{number}", "pending", "x" * 600)
            database.execute("INSERT INTO request VALUES (?, ?, ?)", row)
            for _ in range(2):
                audit = ("y" * 250, "0" * 64)
                database.execute("INSERT INTO audit (body, hash) VALUES (?, ?)", audit)
        database.execute("COMMIT")
        for answered in batch:
            answered.set()
    stop[0] = True
    print(done[0] / seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--delay-ms", type=float, default=5)
    parser.add_argument("--callers", default="1,16,64")
    parser.add_argument("--requests", type=int, default=128)
    parser.add_argument("--raw", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.raw:
        folder, submitters = options.raw
        return raw(pathlib.Path(folder), 3, int(submitters))
    program = str(pathlib.Path(options.program).resolve())
    print(f"disk: {options.delay_ms} ms a sync; resident memory at the end of each line")
    head = ("what", "callers", "a second", ": raw", "syncs", "CPU ms", "p50 ms", "p99 ms", "MiB")
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for what, at_once, wait in (("waits for people", False, 0), ("executed", True, 50)):
        for callers in map(int, options.callers.split(",")):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                folder = pathlib.Path(folder)
                syncs = Syncs(folder, options.delay_ms)
                here = [sys.executable, __file__, program, "--raw", str(folder), str(callers)]
                per_second = float(
                    subprocess.check_output(here, env=syncs.environment, text=True)
                )
                installation = Installation(program, folder, syncs, callers, at_once)
                try:
                    # An executed request costs the manager more calls, of which a minute has 300.
                    total = options.requests if not at_once else options.requests // 2
                    each = max(1, total // callers)
                    figures = load(installation, syncs, callers, each, wait)
                finally:
                    installation.stop()
            share = figures["per_second"] / (per_second / (2 if at_once else 1))
            print(
                f"| {what} | {callers} | {figures['per_second']:.0f} | {share:.3f} "
                f"| {figures['syncs']:.2f} | {figures['cpu_ms']:.1f} | {figures['p50_ms']:.1f} "
                f"| {figures['p99_ms']:.1f} | {figures['resident_mib']:.0f} |",
                flush=True,
            )


main()
