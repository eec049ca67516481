package main

import (
	"embed"
	"encoding/json"
	"path/filepath"
)

// prompt is what the user says. The stub does not read it.
const prompt = "How do goroutines work? Use the tools of research-mcp."

const (
	tsClient = "tssdk/node_modules/@modelcontextprotocol/client/package.json"
	tsOlder  = "tssdk/node_modules/@modelcontextprotocol/sdk/package.json" // knows no newer era
)

//go:embed clients
var clients embed.FS

// allHosts are the hosts and clients, in the order of the table.
func allHosts() []host {
	return []host{
		claudeCode(),
		codex("codex", "never"),
		codex("codex-on-request", "on-request"),
		geminiCLI(),
		opencode(),
		copilot(),
		script("openai-agents", "openai-agents/bin/python", "openai_agents_host.py", modelURL),
		script("pydantic-ai", "pydantic-ai/bin/python", "pydantic_ai_host.py", modelURL),
		reporter(script("fastmcp", "fastmcp/bin/python", "fastmcp_client.py")),
		reporter(script("inspector", "inspector/node_modules/.bin/mcp-inspector", "inspector.mjs", installedFolder)),
		reaching(byURL, claudeCode()),
		reaching(byConnect, claudeCode()),
		reaching(byURL, codex("codex", "never")),
		reaching(byURL, codex("codex-on-request", "on-request")),
		reaching(byConnect, codex("codex", "never")),
		reaching(byURL, geminiCLI()),
		reaching(byURL, opencode()),
		reaching(byURL, copilot()),
		reaching(byURL, script("openai-agents", "openai-agents/bin/python", "openai_agents_host.py", modelURL, servedURL)),
		reaching(byURL, script("pydantic-ai", "pydantic-ai/bin/python", "pydantic_ai_host.py", modelURL, servedURL)),
		reaching(byURL, reporter(script("fastmcp", "fastmcp/bin/python", "fastmcp_client.py", servedURL))),
		reaching(byURL, reporter(script("inspector", "inspector/node_modules/.bin/mcp-inspector", "inspector.mjs", installedFolder, servedURL))),
		reporter(script("openai-agents-5s", "openai-agents/bin/python", "openai_agents_time_out.py", sourceURL)),
		reporter(script("python-legacy", "pysdk/bin/python", "sdk.py", sourceURL, word("legacy"))),
		reporter(script("python-modern", "pysdk/bin/python", "sdk.py", sourceURL, word("2026-07-28"))),
		reporter(script("typescript-legacy", tsClient, "sdk.mjs", sourceURL, installedFolder, word("legacy"))),
		reporter(script("typescript-modern", tsClient, "sdk.mjs", sourceURL, installedFolder, word("modern"))),
		reporter(script("typescript-sdk1", tsOlder, "sdk.mjs", sourceURL, installedFolder, word("sdk1"))),
		counting(script("inspector-cut-url", "inspector/node_modules/.bin/mcp-inspector", "inspector_cut.mjs", installedFolder, sourceURL, webURL(0), webURL(1))),
		counting(script("python-legacy-url", "pysdk/bin/python", "sdk.py", sourceURL, word("legacy"), webURL(0), webURL(1))),
		counting(script("python-modern-url", "pysdk/bin/python", "sdk.py", sourceURL, word("2026-07-28"), webURL(0), webURL(1))),
		counting(script("typescript-legacy-url", tsClient, "sdk.mjs", sourceURL, installedFolder, word("legacy"), webURL(0), webURL(1))),
		counting(script("typescript-modern-url", tsClient, "sdk.mjs", sourceURL, installedFolder, word("modern"), webURL(0), webURL(1))),
		counting(script("typescript-sdk1-url", tsOlder, "sdk.mjs", sourceURL, installedFolder, word("sdk1"), webURL(0), webURL(1))),
	}
}

func claudeCode() host {
	return host{
		name: "claude-code", program: "claude-code/node_modules/.bin/claude", client: "claude-code", config: ".claude.json",
		launch: func(s setting) start {
			return start{
				args: []string{"-p", prompt, "--model", "stub", "--allowedTools", "mcp__research-mcp"},
				env: []string{"ANTHROPIC_BASE_URL=" + s.url, "ANTHROPIC_API_KEY=stub", "MCP_CONNECTION_NONBLOCKING=0",
					"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1"},
			}
		},
	}
}

// codex has no person to ask: what its policy does not let through, it refuses.
func codex(name, policy string) host {
	return host{
		name: name, program: "codex/node_modules/.bin/codex", client: "codex", config: ".codex/config.toml",
		refuses: []string{"forget"},
		launch: func(s setting) start {
			config := "model = \"stub\"\nmodel_provider = \"stub\"\napproval_policy = \"" + policy + "\"\n\n" +
				"[model_providers.stub]\nname = \"stub\"\nbase_url = \"" + s.url + "/v1\"\nwire_api = \"responses\"\n"
			return start{
				args:  []string{"exec", "--skip-git-repo-check", "-c", "mcp_servers.research-mcp.required=true", prompt},
				env:   []string{"CODEX_HOME=" + filepath.Join(s.home, ".codex")},
				files: map[string]string{".codex/config.toml": config},
			}
		},
	}
}

func geminiCLI() host {
	return host{
		name: "gemini", program: "gemini/node_modules/.bin/gemini", client: "gemini", config: ".gemini/settings.json",
		launch: func(s setting) start {
			settings := object{"security": object{"auth": object{"selectedType": "gemini-api-key"}}, "privacy": object{"usageStatisticsEnabled": false}}
			return start{
				args:  []string{"-p", prompt, "-m", "gemini-2.5-flash", "--approval-mode", "yolo", "--skip-trust"},
				env:   []string{"GOOGLE_GEMINI_BASE_URL=" + s.url, "GEMINI_API_KEY=stub"},
				files: map[string]string{".gemini/settings.json": encoded(settings)},
			}
		},
	}
}

func opencode() host {
	return host{
		name: "opencode", program: "opencode/node_modules/.bin/opencode", client: "opencode", config: ".config/opencode/opencode.json",
		launch: func(s setting) start {
			provider := object{"npm": "@ai-sdk/openai-compatible", "name": "stub", "options": object{"baseURL": s.url + "/v1", "apiKey": "stub"},
				"models": object{"stub": object{"name": "stub", "tool_call": true}}}
			config := object{"provider": object{"stub": provider}, "model": "stub/stub", "small_model": "stub/stub", "autoupdate": false, "share": "disabled"}
			return start{
				args:  []string{"run", "--model", "stub/stub", prompt},
				env:   []string{"OPENCODE_DISABLE_AUTOUPDATE=1", "OPENCODE_DISABLE_MODELS_FETCH=1", "OPENCODE_DISABLE_LSP_DOWNLOAD=1"},
				files: map[string]string{".config/opencode/opencode.json": encoded(config)},
			}
		},
	}
}

func copilot() host {
	return host{
		name: "copilot", program: "copilot/node_modules/.bin/copilot",
		launch: func(s setting) start {
			server := object{"type": "local", "command": s.binary, "args": []string{"serve", "--demo"}, "tools": []string{"*"}}
			if s.served != nil {
				server = object{"type": "http", "url": s.served.url, "headers": object{"Authorization": "Bearer " + s.served.token}, "tools": []string{"*"}}
			}
			servers := object{"mcpServers": object{"research-mcp": server}}
			return start{
				args: []string{"-p", prompt, "--allow-all-tools", "--disable-builtin-mcps", "--additional-mcp-config", encoded(servers)},
				env: []string{"COPILOT_PROVIDER_BASE_URL=" + s.url + "/v1", "COPILOT_PROVIDER_API_KEY=stub", "COPILOT_MODEL=stub",
					"COPILOT_OFFLINE=true", "COPILOT_AUTO_UPDATE=false"},
			}
		},
	}
}

func modelURL(s setting) string        { return s.url }
func sourceURL(s setting) string       { return s.source.url() }
func servedURL(s setting) string       { return s.served.url }
func installedFolder(s setting) string { return s.installed }

// webURL is the address of one of the servers whose messages are counted.
func webURL(n int) func(setting) string { return func(s setting) string { return s.webs[n] } }

// word is an argument that is the same in every run.
func word(w string) func(setting) string { return func(setting) string { return w } }

// script is one of the programs in the folder clients, run by the interpreter of its
// language with the binary and the values of more as arguments. What must be there is
// needs; for Python it is the interpreter.
func script(name, needs, file string, more ...func(setting) string) host {
	interpreter := needs
	if filepath.Ext(file) == ".mjs" {
		interpreter = "node/node_modules/.bin/node"
	}
	return host{
		name: name, program: interpreter, needs: needs,
		launch: func(s setting) start {
			source, err := clients.ReadFile("clients/" + file)
			if err != nil {
				panic(err) // it is embedded
			}
			args := []string{filepath.Join(s.home, file), s.binary}
			for _, value := range more {
				args = append(args, value(s))
			}
			return start{args: args, files: map[string]string{file: string(source)}}
		},
	}
}

func reporter(h host) host {
	h.reports = true
	return h
}

// counting is a client without a model beside servers over HTTP whose messages are counted.
func counting(h host) host {
	h.webs = true
	return reporter(h)
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and booleans
	}
	return string(b)
}
