"""The OpenAI Agents SDK as a host: openai_agents_host.py BINARY MODEL_URL [SERVER_URL]
With SERVER_URL it uses the server there, with the token in RESEARCH_MCP_TOKEN."""

import asyncio
import os
import sys

from agents import Agent, OpenAIProvider, RunConfig, Runner
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp


def research_mcp(binary, at):
    if at:
        headers = {"Authorization": "Bearer " + os.environ["RESEARCH_MCP_TOKEN"]}
        return MCPServerStreamableHttp(params={"url": at, "headers": headers}, client_session_timeout_seconds=60)
    return MCPServerStdio(params={"command": binary, "args": ["serve", "--demo"]}, client_session_timeout_seconds=60)


async def main(binary, url, at=""):
    async with research_mcp(binary, at) as server:
        agent = Agent(name="stub", instructions="Use the tools.", mcp_servers=[server])
        provider = OpenAIProvider(base_url=url + "/v1", api_key="stub", use_responses=True)
        config = RunConfig(model="stub", model_provider=provider, tracing_disabled=True)
        result = await Runner.run(agent, "How do goroutines work?", run_config=config)
        print(result.final_output)


asyncio.run(main(*sys.argv[1:]))
