"""Pydantic AI as a host: pydantic_ai_host.py BINARY MODEL_URL [SERVER_URL]
With SERVER_URL it uses the server there, with the token in RESEARCH_MCP_TOKEN."""

import asyncio
import os
import sys

from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def research_mcp(binary, at):
    if at:
        return StreamableHttpTransport(at, headers={"Authorization": "Bearer " + os.environ["RESEARCH_MCP_TOKEN"]})
    return StdioTransport(binary, ["serve", "--demo"])


async def main(binary, url, at=""):
    model = OpenAIChatModel("stub", provider=OpenAIProvider(base_url=url + "/v1", api_key="stub"))
    server = MCPToolset(research_mcp(binary, at), read_timeout=60)
    async with Agent(model, toolsets=[server]) as agent:
        print((await agent.run("How do goroutines work?")).output)


asyncio.run(main(*sys.argv[1:]))
