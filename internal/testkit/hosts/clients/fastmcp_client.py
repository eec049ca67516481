"""FastMCP's client, which has no model: fastmcp_client.py BINARY. It prints a line of
JSON for the result of each tool."""

import asyncio
import json
import re
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main(binary):
    async with Client(StdioTransport(binary, ["serve", "--demo"]), timeout=60) as client:
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
