package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
	"github.com/research-mcp/research-mcp/internal/models/writer"
)

// keyEnv is the environment variable of the key.
const keyEnv = config.EnvPrefix + "MODELS_KEY"

// Provider offers the models of one server.
type Provider struct {
	client *client // nil: there is none
	budget time.Duration
	opts   writer.Options
	hooks  models.Hooks // may be nil
}

// Open makes the provider from the settings; see package models/all.
func Open(cfg *config.Config, env models.Env) (models.Provider, error) {
	if cfg.Models.URL == "" {
		return &Provider{}, nil
	}
	c, err := open(cfg.Models, env)
	if err != nil {
		return nil, err
	}
	p := &Provider{client: c, budget: cfg.Research.Budget, hooks: env.Hooks, opts: writer.Options{Fence: prompt.Nonce}}
	if p.hooks != nil {
		p.opts = writer.Options{Fence: p.hooks.Fence, Readable: p.hooks.Readable}
	}
	return p, nil
}

// Name is "openai".
func (p *Provider) Name() string { return "openai" }

// Offer returns the chat model as synthesizer, planner and summarizer, and the
// embedding model if the user named one: it is sent all that is read.
func (p *Provider) Offer(ctx context.Context) models.Offer {
	var o models.Offer
	if p.client == nil {
		return o
	}
	name, problem := p.client.chatModel(ctx)
	if problem != nil {
		o.Problems = append(o.Problems, problem)
	} else {
		p.client.startMeasuring(name)
		w := writer.New(chatModel{p.client, name}, p.opts)
		o.Synthesizer, o.Planner, o.Summarizer, o.Divider = w, w, w, w
		if p.hooks != nil {
			o.Planner, o.Divider = p.hooks.Planner(w), p.hooks.Divider(w)
		}
	}
	if embed := p.client.set.EmbedModel; embed != "" {
		if failing := p.client.failing(embed); failing != nil {
			o.Problems = append(o.Problems, failing)
		} else if p.client.list(ctx).problem == nil {
			o.Embedder = p.client.embedder()
		}
	}
	return o
}

// Status reports the server and its models.
func (p *Provider) Status(ctx context.Context) []models.Status {
	if p.client == nil {
		return nil
	}
	c := p.client
	server := models.Status{Name: "model server", State: models.StateOK, What: "at " + c.base}
	if c.key != "" {
		server.What += ", with a key"
	}
	if c.clear() {
		server.State, server.What = models.StateWarn, server.What+" that is sent without encryption"
		server.Try = "use a URL with https, or a server on this machine"
	}
	chat := models.Status{Name: "model that writes", State: models.StateOK}
	name, problem := c.chatModel(ctx)
	if problem != nil {
		chat.State, chat.What, chat.Try = models.StateWarn, problem.What, problem.Try
	} else {
		bounded, cancel := context.WithTimeout(ctx, measureLimit+time.Second)
		defer cancel()
		c.startMeasuring(name)
		speed, err := c.meter.Speed(bounded, c.speedKey(name))
		chat.What = name
		if failing := c.failing(name); failing != nil {
			chat.State, chat.What, chat.Try = models.StateWarn, failing.What, failing.Try
		} else {
			chat = writer.AddSpeed(chat, speed, err == nil, p.budget)
		}
	}
	embed := models.Status{Name: "model that embeds", State: models.StateOff, What: "none is named in models.embed_model"}
	if c.set.EmbedModel != "" {
		embed.State, embed.What = models.StateOK, c.set.EmbedModel
		if _, err := c.embedder().Embed(ctx, []string{"test"}); err != nil {
			failed := evidence.AsProblem(err)
			embed.State, embed.What, embed.Try = models.StateWarn, failed.What, failed.Try
		}
	}
	return []models.Status{server, chat, embed}
}

// Close closes the connections.
func (p *Provider) Close() error {
	if p.client == nil {
		return nil
	}
	return p.client.close()
}

const (
	listTTL      = time.Minute      // a list of models is used this long
	hangTTL      = 20 * time.Second // a server that did not answer is not asked again for this long
	listPatience = 2 * time.Second  // for the list
)

// listing is what the server's list of models said.
type listing struct {
	at      time.Time
	names   []string
	problem *evidence.Problem
	hangs   bool
}

// chatModel returns the model that writes: the one in the settings, or the only one
// that the server has. A server without a list of models is asked with the one in the
// settings.
func (c *client) chatModel(ctx context.Context) (string, *evidence.Problem) {
	named := c.set.ChatModel
	if named != "" {
		if failing := c.failing(named); failing != nil {
			return "", failing
		}
	}
	l := c.list(ctx)
	if l.problem != nil {
		return "", l.problem
	}
	var chat []string
	for _, name := range l.names {
		if !embeds(name) {
			chat = append(chat, name)
		}
	}
	switch {
	case named != "" && (len(l.names) == 0 || slices.Contains(l.names, named)):
		return named, nil
	case named != "":
		return "", &evidence.Problem{What: fmt.Sprintf("the server at %s lacks the model %s; %s", c.base, named, has(l.names)), Try: "set models.chat_model to one that it has"}
	case len(chat) == 1:
		if failing := c.failing(chat[0]); failing != nil {
			return "", failing
		}
		return chat[0], nil
	}
	return "", &evidence.Problem{What: fmt.Sprintf("which model at %s writes is not set; %s", c.base, has(l.names)), Try: "set models.chat_model"}
}

// embeds reports whether a model's name is that of an embedding model.
func embeds(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"embed", "minilm", "bge-", "gte-", "-e5", "e5-", "rerank"}, func(s string) bool { return strings.Contains(name, s) })
}

// has lists the models of a server for a person.
func has(names []string) string {
	const shown = 8
	switch {
	case len(names) == 0:
		return "it lists no models"
	case len(names) > shown:
		return fmt.Sprintf("it has %s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return "it has " + strings.Join(names, ", ")
}

// list returns the server's models. A server that knows no list of them has an empty
// one without a problem.
func (c *client) list(ctx context.Context) listing {
	c.mu.Lock()
	found := c.found
	c.mu.Unlock()
	age := c.now().Sub(found.at)
	if !found.at.IsZero() && (found.problem == nil && age < listTTL || found.hangs && age < hangTTL) {
		return found
	}
	bounded, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	resp, err := c.api.ListModels(bounded)
	l := listing{at: c.now()}
	code, message := status(err)
	switch {
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		l.hangs = true
		l.problem = &evidence.Problem{What: fmt.Sprintf("the server at %s did not answer within %s", c.base, listPatience), Try: "it may be busy or starting: ask again"}
	case err != nil:
		l.problem = c.explain("list", code, message, err)
	}
	for _, m := range resp.Models {
		l.names = append(l.names, c.brief(m.ID))
	}
	slices.Sort(l.names)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = l
	return l
}

// embedder returns the embedder, which keeps its dimensions.
func (c *client) embedder() *embedder {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.embeds == nil {
		c.embeds = &embedder{client: c, model: c.set.EmbedModel}
	}
	return c.embeds
}
