package recording

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/research"
)

// metadata is what a recording holds beside the requests, so that the same
// question can be asked in the same way on any machine.
type metadata struct {
	Format   int       `json:"format"`
	Question string    `json:"question"`
	Asked    time.Time `json:"asked"`

	Sources   []string      `json:"sources,omitempty"` // that the caller named
	Depth     string        `json:"depth,omitempty"`
	Budget    time.Duration `json:"budgetNS,omitempty"`
	MaxTokens int           `json:"maxTokens,omitempty"`
	Language  string        `json:"language,omitempty"`

	Settings map[string]string `json:"settings"`
	Secrets  []string          `json:"secrets"` // settings that had a value, which is left out
	Warnings []string          `json:"warnings,omitempty"`

	// Events that could differ in another run.
	Answered bool               `json:"answered"`
	Topics   []string           `json:"topics,omitempty"`   // with which the sources were asked
	Parts    []string           `json:"parts,omitempty"`    // that a model made of the question
	Late     map[string]delayed `json:"late,omitempty"`     // sources that were not waited for
	Ollama   *ollama.State      `json:"ollama,omitempty"`   // as it was found; nil: it was not probed
	Readable []int              `json:"readable,omitempty"` // tokens of prompts that could be read in time
	Fence    string             `json:"fence"`
}

// metadataFormat changes when an older program could not replay the file.
const metadataFormat = 1

// delayed is a source that had not answered every keyword when the answer had to
// be written.
type delayed struct {
	Topics []string `json:"topics"`          // that it had not answered
	Links  []string `json:"links,omitempty"` // whose documents had come, without the pages that they link to
	Err    string   `json:"error"`           // as it was reported
}

// newMetadata describes a question before it is asked.
func newMetadata(cfg *config.Config, req research.Request, now time.Time) metadata {
	m := metadata{Format: metadataFormat, Question: req.Question, Asked: now.UTC(), Sources: req.Sources, Depth: req.Depth, Budget: req.Budget,
		MaxTokens: req.MaxTokens, Language: req.Language, Settings: map[string]string{}, Secrets: []string{}, Fence: app.NewID("b_")}
	for _, s := range cfg.Settings() {
		if isRecorded(s.Key) {
			m.Settings[s.Key] = s.Value
		}
	}
	if _, err := ollama.ParseHost(cfg.Ollama.Host); err != nil && cfg.Ollama.HostInherited {
		m.Settings["ollama.enabled"], m.Settings["ollama.host"] = "false", "" // it was not used: see ollama.Open
	}
	for name, d := range app.SourceDefaults() {
		s, prefix := cfg.Sources[name], "sources."+name+"."
		m.Settings[prefix+"enabled"], m.Settings[prefix+"url"] = fmt.Sprint(s.Enabled), cleanURLs(s.URL)
		for _, o := range d.Options {
			value := s.Text(o.Name)
			delete(m.Settings, prefix+o.Name)
			switch {
			case o.Secret && value != "":
				m.Secrets = append(m.Secrets, prefix+o.Name)
			case !o.Secret && name != filesSource:
				m.Settings[prefix+o.Name] = cleanURLs(value)
			}
		}
	}
	if cfg.Models.Key+cfg.Models.KeyFile != "" {
		m.Secrets = append(m.Secrets, "models.key")
	}
	slices.Sort(m.Secrets)
	if cfg.Contact != "" {
		m.Secrets = append(m.Secrets, "contact")
		if isMail(cfg.Contact) {
			m.Secrets = append(m.Secrets, "contact as mail")
		}
	}
	return m
}

// isRecorded reports whether a setting changes an answer and holds nothing
// private.
func isRecorded(key string) bool {
	switch {
	case key == "data_dir", key == "log_level", key == "contact", key == "ollama.proxy", key == "models.proxy", strings.HasPrefix(key, "models.key"), strings.HasPrefix(key, "cache."), strings.HasPrefix(key, "memory."):
		return false
	}
	return true
}

func isMail(contact string) bool {
	_, err := mail.ParseAddress(strings.TrimPrefix(contact, "mailto:"))
	return err == nil
}

// cleanURLs removes secrets from the URLs in a setting.
func cleanURLs(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	parts := listItems(value)
	for i, p := range parts {
		if strings.Contains(p, "://") {
			parts[i] = redact.URL(p)
		}
	}
	return strings.Join(parts, ",")
}

// listItems splits a setting that is a list.
func listItems(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}
