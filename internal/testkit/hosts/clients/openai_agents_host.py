"""The OpenAI Agents SDK as a host: openai_agents_host.py BINARY MODEL_URL"""

import asyncio
import sys

from agents import Agent, OpenAIProvider, RunConfig, Runner
from agents.mcp import MCPServerStdio


async def main(binary, url):
    params = {"command": binary, "args": ["serve", "--demo"]}
    async with MCPServerStdio(params=params, client_session_timeout_seconds=60) as server:
        agent = Agent(name="stub", instructions="Use the tools.", mcp_servers=[server])
        provider = OpenAIProvider(base_url=url + "/v1", api_key="stub", use_responses=True)
        config = RunConfig(model="stub", model_provider=provider, tracing_disabled=True)
        result = await Runner.run(agent, "How do goroutines work?", run_config=config)
        print(result.final_output)


asyncio.run(main(*sys.argv[1:]))
