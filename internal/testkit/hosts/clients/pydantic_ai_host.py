"""Pydantic AI as a host: pydantic_ai_host.py BINARY MODEL_URL"""

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


async def main(binary, url):
    model = OpenAIChatModel("stub", provider=OpenAIProvider(base_url=url + "/v1", api_key="stub"))
    server = MCPToolset(StdioTransport(binary, ["serve", "--demo"]), read_timeout=60)
    async with Agent(model, toolsets=[server]) as agent:
        print((await agent.run("How do goroutines work?")).output)


asyncio.run(main(*sys.argv[1:]))
