"""The real program under load: syncs, CPU and manager calls of a request, and requests a second.

usage: load.py PROGRAM [--delay-ms N] [--callers 1,16,64] [--requests N] [--history N]

It makes an installation in a temporary folder, starts the simulated manager and the server, and
asks over MCP, after some asks that do not count. Each sync of the server's disk is counted and takes
as long as --delay-ms says, so that figures do not depend on the disk. In the same run, under the same
disk: a raw writer with group commit, and the naive design, which writes three transactions for a
request on ten connections. Counts are exact. Times are ratios to these: other work on the machine
changes both.

--history N compares instead an agent without a past with one that made N requests, and the idle
server.
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
permit (principal, action in Countersign::Action::"run", resource)
when { context.facts.term_seconds <= 600 || context.votes.people >= 1 };
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
    for _ in range(15_000):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            connection.getresponse()
            return
        except OSError:
            pass
        time.sleep(0.002)
    sys.exit(f"nothing answers on {port}{path}: {log.read_text() if log else ''}")


class Installation:
    """A server on a simulated manager, with at least one agent for each caller."""

    def __init__(self, program, folder, syncs, callers, at_once):
        self.program, self.folder = program, folder
        self.port, self.manager_port = free_port(), free_port()
        self.manager = subprocess.Popen(
            [program, "simulate-wazuh", "--listen", f"127.0.0.1:{self.manager_port}"]
            + ["--requests-per-minute-max", "0"],
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
            'password_file = "manager.password"\ncalls_per_minute_max = 30000\ncalls_in_flight = 64\n'
            "[agents]\nopen_requests_max = 1000\nasks_per_minute_max = 1000\n"
        )
        if at_once:
            for file in (folder / "policies").glob("20_*.cedar"):
                file.write_text(POLICY)
            for file in (folder / "policies" / "tests").glob("*"):
                file.unlink()
        self.run("person", "add", "bob", "--role", "senior", "--password-file", "password")
        self.tokens = []
        for number in range(max(callers, 32)):
            added = self.run("--json", "agent", "add", f"bot-{number}", "--owner", "bob")
            self.tokens.append(json.loads(added)["token"])
        self.log = open(folder / "log", "w")
        self.environment = {**syncs.environment, "COUNTERSIGN_LOG": "warn"}
        self.start()

    def start(self):
        """Starts the server; how long it took to be ready, in seconds."""
        began = time.monotonic()
        self.server = subprocess.Popen(
            [self.program, "serve"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )
        wait_for(self.port, "/readyz", self.folder / "log")
        return time.monotonic() - began

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
    """Asks again and again, each time for another address: `requests` times, or until `stop`."""

    def __init__(self, installation, number, requests, begin, wait=0, seconds=600, stop=None):
        super().__init__()
        self.installation, self.number = installation, number
        self.requests, self.begin, self.stop = requests, begin, stop
        self.wait, self.seconds = wait, seconds
        self.times, self.problems = [], []

    def ask(self, connection, address, token):
        arguments = {"srcip": address, "agent_ids": ["001"], "duration_seconds": self.seconds}
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
            if self.stop is not None and self.stop.is_set():
                break
            address = f"203.{self.number}.{request // 250}.{request % 250 + 1}"
            began = time.monotonic()
            tokens = self.installation.tokens
            status, text = self.ask(connection, address, tokens[self.number % len(tokens)])
            self.times.append(time.monotonic() - began)
            # An answer of a tool that failed says so.
            if status != 200 or re.search(r'"isError":\s*true', text):
                self.problems.append(text[:300])
                break


def finish(threads):
    for thread in threads:
        thread.join()
    problems = [problem for thread in threads for problem in thread.problems]
    if problems:
        sys.exit(f"{len(problems)} asks failed, the first: {problems[0]}")


def load(installation, syncs, callers, requests, wait, first=0):
    """Figures of one closed loop, whose callers are numbered from `first`."""
    begin = threading.Barrier(callers + 1)
    threads = [
        Caller(installation, first + number, requests, begin, wait) for number in range(callers)
    ]
    for thread in threads:
        thread.start()
    cpu, count = cpu_seconds(installation.server.pid), syncs.count()
    begin.wait()
    began = time.monotonic()
    finish(threads)
    took = time.monotonic() - began
    # What an ask leaves to do belongs to it.
    time.sleep(1.2)
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


def beside_asks(installation, syncs, requests):
    """Executed requests of 4 callers alone, and while 16 others ask without end for what waits."""
    alone = load(installation, syncs, 4, requests, 50, first=200)
    stop, begin = threading.Event(), threading.Barrier(17)
    askers = [
        Caller(installation, 208 + number, 60_000, begin, seconds=3600, stop=stop)
        for number in range(16)
    ]
    for asker in askers:
        asker.start()
    begin.wait()
    beside = load(installation, syncs, 4, requests, 50, first=204)
    stop.set()
    finish(askers)
    asked = sum(len(asker.times) for asker in askers)
    return (
        f"executed by 4 callers: {alone['per_second']:.0f} a second alone, "
        f"{beside['per_second']:.0f} beside {asked} asks of 16 others: "
        f"{beside['per_second'] / alone['per_second']:.2f}"
    )


def writers(arguments, syncs):
    """Runs this program again as a writer under the same disk: what it does in a second."""
    command = [sys.executable, __file__, "-", *map(str, arguments)]
    return float(subprocess.check_output(command, env=syncs.environment, text=True))


def naive(folder, seconds, submitters):
    """Requests a second of the naive design: what was received, decided and came out is each a
    transaction that reads the end of the chain, on one of ten connections."""
    path = folder / "naive.db"
    first = sqlite3.connect(path, isolation_level=None)
    for sql in (
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE request (id TEXT PRIMARY KEY, state TEXT, body TEXT)",
        "CREATE TABLE audit (seq INTEGER PRIMARY KEY, body TEXT, hash TEXT)",
    ):
        first.execute(sql)
    until, done, lock = time.monotonic() + seconds, [0], threading.Lock()
    free = threading.Semaphore(10)

    def submit(number):
        database = sqlite3.connect(path, isolation_level=None, timeout=60)
        database.execute("PRAGMA synchronous = FULL")
        turn = 0
        while time.monotonic() < until:
            turn += 1
            for state in ("received", "decided", "sent"):
                with free:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
                    row = (f"{number}-{turn}", state, "x" * 600)
                    database.execute("INSERT OR REPLACE INTO request VALUES (?, ?, ?)", row)
                    audit = ("y" * 250, "0" * 64)
                    database.execute("INSERT INTO audit (body, hash) VALUES (?, ?)", audit)
                    database.execute("COMMIT")
            with lock:
                done[0] += 1

    threads = [threading.Thread(target=submit, args=(one,)) for one in range(submitters)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(done[0] / seconds)


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


def made_up(database, requests):
    """Copies the first request of a database this often, as of the 300 days before."""
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    tables = {}
    for table, key in (("request", "id"), ("request_endpoint", "request_id")):
        cursor = database.execute(f"SELECT * FROM {table} ORDER BY rowid LIMIT 1")
        names = [column[0] for column in cursor.description]
        tables[table] = (key, dict(zip(names, cursor.fetchone())))
    day = 86_400 * 10**6
    for number in range(requests):
        for table, (key, row) in tables.items():
            row = {**row, key: f"req_{0x019A00000000 << 80 | number + 1:032x}"}
            if table == "request":
                asked_at = row["asked_at"] - 300 * day + number * (290 * day // requests)
                row |= {"asked_at": asked_at, "deadline": asked_at + day // 24}
                row |= {"state": "expired", "ended_at": asked_at + day // 24}
                row |= {"ended_by": "time", "ended_reason": "it expired"}
                row["argument"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
                for digest in ("proposal_digest", "ask_digest", "digest"):
                    row[digest] = f"{number:064x}"
            marks = ", ".join("?" * len(row))
            sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"
            database.execute(sql, list(row.values()))
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def history(program, requests):
    """An ask of an agent without and with a past, and the idle server."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        folder = pathlib.Path(folder)
        syncs = Syncs(folder, 0)
        installation = Installation(program, folder, syncs, 1, False)
        installation.tokens = installation.tokens[:1]

        def figures(what, first, ready):
            load(installation, syncs, 1, 50, 0, first)
            asked = load(installation, syncs, 1, 250, 0, first + 1)
            pid, seconds = installation.server.pid, 20
            cpu = cpu_seconds(pid)
            time.sleep(seconds)
            idle = (cpu_seconds(pid) - cpu) / seconds
            print(
                f"{what}: an ask takes {asked['p50_ms']:.2f} ms and {asked['cpu_ms']:.2f} ms of CPU; "
                f"idle {idle:.4f} of a core, {resident_mib(pid):.0f} MiB; ready after {ready:.3f} s"
            )

        def again():
            installation.server.terminate()
            installation.server.wait(20)
            return installation.start()

        load(installation, syncs, 1, 1, 0)
        figures("no past", 1, again())
        installation.server.terminate()
        installation.server.wait(20)
        database = sqlite3.connect(folder / "countersign.db", isolation_level=None)
        made_up(database, requests)
        database.close()
        figures(f"{requests} requests", 3, installation.start())
        installation.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--delay-ms", type=float, default=5)
    parser.add_argument("--callers", default="1,16,64")
    parser.add_argument("--requests", type=int, default=1024)
    parser.add_argument("--history", type=int)
    parser.add_argument("--writer", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.writer:
        design, folder, submitters = options.writer
        writer = {"raw": raw, "naive": naive}[design]
        return writer(pathlib.Path(folder), 3, int(submitters))
    program = str(pathlib.Path(options.program).resolve())
    print(f"program: {os.path.getsize(program) / 2**20:.1f} MiB")
    if options.history:
        return history(program, options.history)
    print(f"disk: {options.delay_ms} ms a sync; resident memory at the end of each line")
    head = ("what", "callers", "a second", ": raw", ": naive", "syncs", "CPU ms")
    head += ("p50 ms", "above commits", "p99 ms", "MiB")
    beside = None
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for what, at_once, wait, commits in (
        ("waits for people", False, 0, 1),
        ("executed", True, 50, 2),
    ):
        for callers in map(int, options.callers.split(",")):
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                folder = pathlib.Path(folder)
                syncs = Syncs(folder, options.delay_ms)
                raw_writer = writers(["--writer", "raw", folder, callers], syncs)
                naive_writer = writers(["--writer", "naive", folder, callers], syncs)
                installation = Installation(program, folder, syncs, callers, at_once)
                try:
                    # What a new program does once belongs to no request.
                    load(installation, syncs, callers, max(1, 64 // callers), wait, first=120)
                    each = max(1, options.requests // (callers if callers > 1 else 4))
                    figures = load(installation, syncs, callers, each, wait)
                    if at_once and callers == 16:
                        beside = beside_asks(installation, syncs, 128)
                finally:
                    installation.stop()
            share = figures["per_second"] / (raw_writer / commits)
            above = f"{figures['p50_ms'] - commits * 1000 / raw_writer:.1f}" if callers == 1 else ""
            print(
                f"| {what} | {callers} | {figures['per_second']:.0f} | {share:.3f} "
                f"| {figures['per_second'] / naive_writer:.1f} | {figures['syncs']:.2f} "
                f"| {figures['cpu_ms']:.1f} | {figures['p50_ms']:.1f} | {above} "
                f"| {figures['p99_ms']:.1f} | {figures['resident_mib']:.0f} |",
                flush=True,
            )
    if beside:
        print(beside)


main()
