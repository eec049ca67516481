package ollama

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Models that messages suggest: small, good, and known to work.
const (
	SuggestedChat  = "llama3.2"
	SuggestedEmbed = "nomic-embed-text"
)

// ModelInfo is an installed model.
type ModelInfo struct {
	Name     string // without ":latest"
	Digest   string // differs between versions of a model
	Context  int    // the model's context length in tokens; 0: not known yet
	Dims     int    // of its embeddings, 0: not known yet
	Thinking bool   // it can write its thoughts before the answer
	Remote   bool   // its prompts are sent to another server
}

// Revision returns the short form of the digest.
func (m ModelInfo) Revision() string { return m.Digest[:min(12, len(m.Digest))] }

// details is the result of /api/show.
type details struct {
	chat, embed, thinking bool
	context, dims         int
}

// role is a use of a model.
type role struct {
	name       string // as messages name it
	configured string
	suggested  string
	can        func(details) bool
}

func (c *Client) chatRole() role {
	return role{"chat", c.cfg.ChatModel, SuggestedChat, func(d details) bool { return d.chat }}
}

func (c *Client) embedRole() role {
	return role{"embedding", c.cfg.EmbedModel, SuggestedEmbed, func(d details) bool { return d.embed }}
}

// choose returns the model for a role, or why none of the installed ones can be
// used. The caller holds c.mu.
func (c *Client) choose(r role, installed []api.ListModelResponse) (*ModelInfo, *evidence.Problem) {
	var failing *evidence.Problem
	for _, m := range installed {
		named := r.configured != "" && fullName(m.Name) == fullName(r.configured)
		d, known := c.details[m.Digest]
		if !known {
			d = guess(m)
		}
		switch {
		case r.configured != "" && !named:
			continue
		case named && known && !r.can(d):
			return nil, &evidence.Problem{
				What: fmt.Sprintf("the Ollama model %s is not a %s model", shortName(m.Name), r.name),
				Try:  "set another one, or none to have one chosen; `ollama pull " + r.suggested + "` gets one",
			}
		case !named && (!r.can(d) || m.RemoteHost != ""):
			// Prompts stay on this machine unless the user named a remote model.
			continue
		}
		if f, ok := c.failures[shortName(m.Name)]; ok && c.cfg.Now().Sub(f.at) < failureTTL {
			failing = f.problem
			continue
		}
		return &ModelInfo{
			Name: shortName(m.Name), Digest: m.Digest, Context: d.context, Dims: d.dims,
			Thinking: d.thinking, Remote: m.RemoteHost != "",
		}, nil
	}
	if failing != nil {
		return nil, failing
	}
	return nil, c.noModel(r, installed)
}

func (c *Client) noModel(r role, installed []api.ListModelResponse) *evidence.Problem {
	names := make([]string, 0, len(installed))
	for _, m := range installed {
		names = append(names, shortName(m.Name))
	}
	have := "it has no models"
	if len(names) > 0 {
		have = "it has " + strings.Join(names[:min(8, len(names))], ", ")
		if len(names) > 8 {
			have += fmt.Sprintf(" and %d more", len(names)-8)
		}
	}
	if r.configured != "" {
		return &evidence.Problem{
			What: fmt.Sprintf("Ollama at %s lacks the %s model %s; %s", c.Host(), r.name, r.configured, have),
			Try:  "run `ollama pull " + r.configured + "`, or set another model",
		}
	}
	return &evidence.Problem{
		What: fmt.Sprintf("Ollama runs at %s without a usable %s model; %s", c.Host(), r.name, have),
		Try:  "run `ollama pull " + r.suggested + "`",
	}
}

// guess returns the likely abilities of a model before its details are known: the
// list of models takes a millisecond, the details of one may take 200.
func guess(m api.ListModelResponse) details {
	name := strings.ToLower(m.Name)
	families := append(slices.Clone(m.Details.Families), m.Details.Family)
	encoder := slices.ContainsFunc(families, func(f string) bool { return strings.Contains(f, "bert") }) ||
		slices.ContainsFunc([]string{"embed", "minilm", "bge-", "gte-", "-e5"}, func(s string) bool { return strings.Contains(name, s) })
	return details{chat: !encoder, embed: encoder}
}

// learn fetches the details of models in the background. The next caller of Probe
// then gets a new choice. The caller holds c.mu.
func (c *Client) learn(models ...*ModelInfo) {
	var todo []ModelInfo
	for _, m := range models {
		if m == nil || c.learning[m.Digest] {
			continue
		}
		if _, ok := c.details[m.Digest]; !ok {
			c.learning[m.Digest] = true
			todo = append(todo, *m)
		}
	}
	if len(todo) == 0 || c.closed {
		return
	}
	c.background(func(ctx context.Context) {
		for _, m := range todo {
			if _, err := c.show(ctx, m.Name, m.Digest); err != nil {
				c.log.Debug("no details of an Ollama model", "model", m.Name, "err", err)
			}
			c.mu.Lock()
			delete(c.learning, m.Digest)
			c.mu.Unlock()
		}
	})
}

// Info returns the model with its details, which may have to be requested.
func (c *Client) Info(ctx context.Context, m ModelInfo) (ModelInfo, error) {
	c.mu.Lock()
	d, ok := c.details[m.Digest]
	c.mu.Unlock()
	if !ok {
		var err error
		if d, err = c.show(ctx, m.Name, m.Digest); err != nil {
			return m, c.problem(ctx, m.Name, err)
		}
	}
	m.Context, m.Dims, m.Thinking = d.context, d.dims, d.thinking
	return m, nil
}

func (c *Client) show(ctx context.Context, name, digest string) (details, error) {
	ctx, cancel := context.WithTimeout(ctx, showLimit)
	defer cancel()
	resp, err := c.api.Show(ctx, &api.ShowRequest{Model: name})
	if err != nil {
		return details{}, err
	}
	d := details{
		chat:     slices.Contains(resp.Capabilities, "completion"),
		embed:    slices.Contains(resp.Capabilities, "embedding"),
		thinking: slices.Contains(resp.Capabilities, "thinking"),
		context:  number(resp.ModelInfo, "context_length"),
		dims:     number(resp.ModelInfo, "embedding_length"),
	}
	if len(resp.Capabilities) == 0 { // servers before 0.6.4 do not report them
		g := guess(api.ListModelResponse{Name: name, Details: resp.Details})
		d.chat, d.embed = g.chat, g.embed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.details[digest] = d
	c.probes.valid = false // the choice may have been a guess
	return d, nil
}

// number returns "<architecture>.key" of a model's metadata.
func number(info map[string]any, key string) int {
	arch, _ := info["general.architecture"].(string)
	n, _ := info[arch+"."+key].(float64)
	return int(n)
}

// fullName returns a model's name with its tag; shortName without the default tag.
func fullName(s string) string {
	if !strings.Contains(s[strings.LastIndexByte(s, '/')+1:], ":") {
		s += ":latest"
	}
	return strings.ToLower(s)
}

func shortName(s string) string { return strings.TrimSuffix(s, ":latest") }
