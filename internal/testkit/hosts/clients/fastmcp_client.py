"""FastMCP's client, which has no model: fastmcp_client.py BINARY [SERVER_URL]. It prints
a line of JSON for the result of each tool. With SERVER_URL it uses the server there, with the
token in RESEARCH_MCP_TOKEN."""

import asyncio
import json
import os
import re
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport


def research_mcp(binary, at):
    if at:
        return StreamableHttpTransport(at, headers={"Authorization": "Bearer " + os.environ["RESEARCH_MCP_TOKEN"]})
    return StdioTransport(binary, ["serve", "--demo"])


async def main(binary, at=""):
    async with Client(research_mcp(binary, at), timeout=60) as client:
        given = ""

        async def call(tool, **arguments):
            result = await client.call_tool(tool, arguments)
            parts = [part.text for part in result.content]
            if result.structured_content is not None:
                parts.append(json.dumps(result.structured_content, ensure_ascii=False))
            text = "\n".join(parts)
            print(json.dumps({"tool": tool, "given": text}), flush=True)
            return text

        await call("research", question="How do goroutines work?")
        await call("fetch-sources", query="goroutine", limit=2)
        given = await call("recall", query="goroutine", k=2)
        await call("forget", ids=re.findall(r"\bd_[a-z2-7]{26}\b", given)[:1])


asyncio.run(main(*sys.argv[1:]))
