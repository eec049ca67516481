"""The official Python SDK's client: sdk.py BINARY SOURCE_URL ERA [URL URL]
SOURCE_URL answers as Hacker News does, when it is told to (see source.go). ERA is legacy
or a protocol version. The URLs are servers over HTTP (see web.go); without them each
connection starts the binary. It prints a line of JSON for each check."""

import json
import re
import sys
import tempfile
import urllib.request
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

BINARY, SOURCE, ERA, *URLS = sys.argv[1:]
CLOSING_CANCELS = bool(URLS) and ERA != "legacy"  # the specification: the end of a connection is the client's cancellation
QUESTION = {"question": "How do goroutines work?", "sources": ["hackernews"], "depth": "quick"}
CALLS = 300
REPORTS = 2  # of a call: the search begins, and the source has answered
BEAT = "still running after "  # begins the reports between them that a busy machine has


def get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def tell(path):
    return get(SOURCE + path)


async def told(path):
    return await anyio.to_thread.run_sync(tell, path)


def report(check, problem=""):
    print(json.dumps({"check": check, "problem": problem}), flush=True)


def text_of(result):
    text = "\n".join(part.text for part in result.content)
    if result.is_error:
        raise RuntimeError(text)
    return text


class Tap:
    """Counts the messages of a server on their way to the SDK, which reads them from here."""

    def __init__(self, read):
        self.read, self.calls, self.reports, self.answered, self.problems = read, set(), 0, set(), []

    def __getattr__(self, name):
        return getattr(self.read, name)

    async def __aenter__(self):
        await self.read.__aenter__()
        return self

    async def __aexit__(self, *error):
        return await self.read.__aexit__(*error)

    def __aiter__(self):
        return self

    async def __anext__(self):
        item = await self.read.__anext__()
        message = getattr(item, "message", None)
        if getattr(message, "method", "") == "notifications/progress":
            token = message.params["progressToken"]
            self.reports += 1
            self.calls.add(token)
            if token in self.answered:
                self.problems.append(f"request {token}: a late report")
        elif getattr(message, "result", None) is not None:
            self.answered.add(message.id)
        return item

    def sent(self):
        return {"calls": len(self.calls), "reports": self.reports, "problems": self.problems}


@asynccontextmanager
async def tapped(transport, taps):
    async with transport as (read, write):
        taps.append(Tap(read))
        yield taps[0], write


@asynccontextmanager
async def connected():
    """A client, and what says how much progress its server sent."""
    if URLS:
        url = URLS.pop(0)

        async def sent():
            return json.loads(await anyio.to_thread.run_sync(get, url.removesuffix("/mcp") + "/sent"))

        async with Client(streamable_http_client(url), mode=ERA) as client:
            yield client, sent
        return
    with tempfile.TemporaryDirectory() as data:
        args = ["serve", "--data-dir", data, "--set", "ollama.enabled=false", "--set", "sources.hackernews.url=" + SOURCE,
                "--set", "sources.hackernews.timeout=100s"]
        taps = []

        async def sent():
            return taps[0].sent()

        async with Client(tapped(stdio_client(StdioServerParameters(command=BINARY, args=args)), taps), mode=ERA) as client:
            yield client, sent


async def lists_and_calls(client):
    names = {tool.name for tool in (await client.list_tools()).tools}
    missing = {"research", "fetch-sources", "recall", "remember", "forget"} - names
    report("list", f"missing: {missing}" if missing else "")
    text = text_of(await client.call_tool("remember", {"text": "The heron nests on the island.", "title": "Herons"}))
    report("call", "" if re.search(r"\bd_[a-z2-7]{26}\b", text) else text)


async def progress_is_exact(client, sent):
    """Of each call's reports none is missing, and none comes after the result: neither of
    those that the server sent nor of those that the SDK shows."""
    problems, reports = [], 0
    limit = anyio.CapacityLimiter(8)

    async def one(n):
        nonlocal reports
        seen, beats, ended = [], 0, False

        async def on_progress(progress, total, message):
            nonlocal beats
            if ended:
                problems.append(f"call {n}: {progress} is late")
            seen.append(progress)
            beats += (message or "").startswith(BEAT)

        async with limit:
            text_of(await client.call_tool("fetch-sources", {"query": "goroutine", "sources": ["hackernews"], "limit": 1}, progress_callback=on_progress))
        ended = True
        if seen != list(range(1, REPORTS + beats + 1)):
            problems.append(f"call {n}: {seen}")
        reports += len(seen)

    async with anyio.create_task_group() as group:
        for n in range(CALLS):
            group.start_soon(one, n)
    server = await sent()
    problems += server["problems"]
    if server["calls"] != CALLS or server["reports"] != reports:
        problems.append(f"{server['calls']} of {CALLS} calls had reports, {reports} of {server['reports']} were shown")
    report(f"{CALLS} calls with {reports} reports of progress, as many as were sent", "; ".join(problems[:5]))


async def cancel_reaches_the_source(client):
    begun, left = int(await told("/count")), int(await told("/left?n=0"))
    await told("/hold")
    async with anyio.create_task_group() as group:

        async def ask():
            await client.call_tool("research", QUESTION | {"question": "How are goroutines multiplexed?"})

        group.start_soon(ask)
        await told(f"/begun?n={begun + 1}")
        group.cancel_scope.cancel()
    await told(f"/left?n={left + 1}")
    await told("/release")
    report("a person's cancel closes the source's connection")


async def time_out_leaves_the_run(client):
    before, left = int(await told("/count")), int(await told("/left?n=0"))
    await told("/hold")
    try:
        await client.call_tool("research", QUESTION, read_timeout_seconds=5)
        return report("time-out", "the call did not time out")
    except MCPError as error:
        if "timed out" not in str(error):
            raise
    if CLOSING_CANCELS:
        await told(f"/left?n={left + 1}")
    await told("/release")
    picked_up = text_of(await client.call_tool("research", QUESTION))
    run = re.search(r"\br_[a-z2-7]{16}\b", picked_up).group()
    again = text_of(await client.call_tool("research", {"run_id": run}))
    asked, gone = int(await told("/count")) - before, int(await told("/left?n=0")) - left
    problem = ""
    if (asked, gone) != ((2, 1) if CLOSING_CANCELS else (1, 0)) or run not in again or "Status: " not in picked_up:
        problem = f"{asked} requests to the source, {gone} of them cut off: {picked_up} {again}"
    report("a call cut at 5 s is cancelled, and answered when it is made again" if CLOSING_CANCELS else "a run cut at 5 s is picked up", problem)
    print(json.dumps({"tool": "research", "given": picked_up}), flush=True)


async def main():
    await told("/release")
    async with connected() as (client, sent):
        await lists_and_calls(client)
        await progress_is_exact(client, sent)
        await cancel_reaches_the_source(client)
    async with connected() as (client, sent):
        await time_out_leaves_the_run(client)


anyio.run(main)
