"""The OpenAI Agents SDK with its own time-out of 5 s: openai_agents_time_out.py BINARY SOURCE_URL
What the first call began, the second one gets, and nothing is asked again."""

import asyncio
import json
import sys
import tempfile
import urllib.request

from agents.mcp import MCPServerStdio


def tell(source, path):
    with urllib.request.urlopen(source + path) as answer:
        return answer.read().decode()


async def answer(server, question):
    """On a busy machine the answer may take more than one call of 5 s."""
    for attempt in range(12):
        try:
            result = await server.call_tool("research", question)
            return "\n".join(part.text for part in result.content)
        except Exception as error:
            if "imed out" not in str(error):
                raise
    return "no answer in 12 calls"


async def main(binary, source):
    question = {"question": "How do goroutines work?", "sources": ["hackernews"], "depth": "quick"}
    tell(source, "/hold")
    with tempfile.TemporaryDirectory() as data:
        args = ["serve", "--data-dir", data, "--set", "ollama.enabled=false", "--set", "sources.hackernews.url=" + source,
                "--set", "sources.hackernews.timeout=100s"]
        async with MCPServerStdio(params={"command": binary, "args": args}) as server:
            problem = "the first call was answered"
            try:
                await server.call_tool("research", question)
            except Exception as error:
                problem = "" if "imed out" in str(error) else repr(error)
            tell(source, "/release")
            text = await answer(server, question)
    asked, left = tell(source, "/count"), tell(source, "/left?n=0")
    if asked != "1" or left != "0" or "Status: " not in text:
        problem = problem or f"{asked} requests to the source, {left} of them cut off: {text}"
    print(json.dumps({"check": "its time-out of 5 s leaves the run", "problem": problem}))


asyncio.run(main(*sys.argv[1:]))
