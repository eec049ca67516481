"""The official Python SDK's client: sdk.py BINARY SOURCE_URL ERA
SOURCE_URL answers as Hacker News does, when it is told to (see source.go). ERA is legacy
or a protocol version. It prints a line of JSON for each check."""

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

BINARY, SOURCE, ERA = sys.argv[1:]
QUESTION = {"question": "How do goroutines work?", "sources": ["hackernews"], "depth": "quick"}
CALLS = 300
REPORTS = 2  # of a call at least: the search begins, and the source has answered


def tell(path):
    with urllib.request.urlopen(SOURCE + path) as answer:
        return answer.read().decode()


async def told(path):
    return await anyio.to_thread.run_sync(tell, path)


def report(check, problem=""):
    print(json.dumps({"check": check, "problem": problem}), flush=True)


def text_of(result):
    text = "\n".join(part.text for part in result.content)
    if result.is_error:
        raise RuntimeError(text)
    return text


@asynccontextmanager
async def connected():
    with tempfile.TemporaryDirectory() as data:
        args = ["serve", "--data-dir", data, "--set", "ollama.enabled=false", "--set", "sources.hackernews.url=" + SOURCE,
                "--set", "sources.hackernews.timeout=100s"]
        async with Client(stdio_client(StdioServerParameters(command=BINARY, args=args)), mode=ERA) as client:
            yield client


async def lists_and_calls(client):
    names = {tool.name for tool in (await client.list_tools()).tools}
    missing = {"research", "fetch-sources", "recall", "remember", "forget"} - names
    report("list", f"missing: {missing}" if missing else "")
    text = text_of(await client.call_tool("remember", {"text": "The heron nests on the island.", "title": "Herons"}))
    report("call", "" if re.search(r"\bd_[a-z2-7]{26}\b", text) else text)


async def progress_is_exact(client):
    """Of each call's reports none is missing, and none comes after the result."""
    problems, reports = [], 0
    limit = anyio.CapacityLimiter(8)

    async def one(n):
        nonlocal reports
        seen, ended = [], False

        async def on_progress(progress, total, message):
            if ended:
                problems.append(f"call {n}: {progress} is late")
            seen.append(progress)

        async with limit:
            text_of(await client.call_tool("fetch-sources", {"query": "goroutine", "sources": ["hackernews"], "limit": 1}, progress_callback=on_progress))
        ended = True
        if len(seen) < REPORTS or seen != list(range(1, len(seen) + 1)):
            problems.append(f"call {n}: {seen}")
        reports += len(seen)

    async with anyio.create_task_group() as group:
        for n in range(CALLS):
            group.start_soon(one, n)
    report(f"{CALLS} calls with {reports} reports of progress", "; ".join(problems[:5]))


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
    await told("/release")
    picked_up = text_of(await client.call_tool("research", QUESTION))
    run = re.search(r"\br_[a-z2-7]{16}\b", picked_up).group()
    again = text_of(await client.call_tool("research", {"run_id": run}))
    asked, gone = int(await told("/count")) - before, int(await told("/left?n=0")) - left
    problem = ""
    if asked != 1 or gone or run not in again or "Status: " not in picked_up:
        problem = f"{asked} requests to the source, {gone} of them cut off: {picked_up} {again}"
    report("a run cut at 5 s is picked up", problem)


async def main():
    await told("/release")
    async with connected() as client:
        await lists_and_calls(client)
        await progress_is_exact(client)
        await cancel_reaches_the_source(client)
    async with connected() as client:
        await time_out_leaves_the_run(client)


anyio.run(main)
