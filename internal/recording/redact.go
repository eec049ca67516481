package recording

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"strings"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// secretsOf returns the values in the settings that must not be in a recording.
func secretsOf(cfg *config.Config) []string {
	var out []string
	for name, d := range app.SourceDefaults() {
		for _, o := range d.Options {
			value := strings.TrimSpace(cfg.Sources[name].Text(o.Name))
			if o.Secret && value != "" {
				out = append(out, value)
			}
			for _, address := range listItems(value) {
				out = append(out, fetch.URLSecrets(address)...)
			}
		}
	}
	if a, err := mail.ParseAddress(strings.TrimPrefix(cfg.Contact, "mailto:")); err == nil {
		out = append(out, a.Address)
	}
	return out
}

// minSecret is the length in bytes of the shortest secret that is searched for in
// responses: a shorter one would be found in ordinary words.
const minSecret = 6

// redacted stands for a secret.
const redacted = "REMOVED"

// redact removes secrets that responses echo from every string value of a JSON
// text; requests hold none. Field names, and everything that is not a string,
// stay as they are.
func redact(text []byte, secrets []string) ([]byte, error) {
	replacer := newReplacer(secrets)
	var out bytes.Buffer
	for len(text) > 0 {
		start := bytes.IndexByte(text, '"')
		if start < 0 {
			break
		}
		end := stringEnd(text, start)
		if end < 0 {
			return nil, fmt.Errorf("redacting the recording: a string without an end")
		}
		out.Write(text[:start])
		literal := text[start:end]
		text = text[end:]
		if isFieldName := bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte(":")); !isFieldName {
			var err error
			if literal, err = redactLiteral(literal, replacer); err != nil {
				return nil, err
			}
		}
		out.Write(literal)
	}
	out.Write(text)
	return out.Bytes(), nil
}

// stringEnd returns the index behind the JSON string that begins at start, or -1.
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// redactLiteral redacts a JSON string. One that is base64, as bodies that are not
// text are stored, is redacted inside.
func redactLiteral(literal []byte, replacer *strings.Replacer) ([]byte, error) {
	var value string
	if err := json.Unmarshal(literal, &value); err != nil {
		return nil, fmt.Errorf("redacting the recording: %w", err)
	}
	clean := replacer.Replace(value)
	if raw, err := base64.StdEncoding.DecodeString(value); err == nil {
		if body := replacer.Replace(string(raw)); body != string(raw) {
			clean = base64.StdEncoding.EncodeToString([]byte(body))
		}
	}
	if clean == value {
		return literal, nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(clean); err != nil {
		return nil, fmt.Errorf("redacting the recording: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// newReplacer replaces secrets in the spellings in which a response may echo
// them: as they are, as in a URL, and as in JSON.
func newReplacer(secrets []string) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		for _, spelling := range append([]string{s, url.QueryEscape(s), url.PathEscape(s)}, jsonSpellings(s)...) {
			pairs = append(pairs, spelling, redacted)
		}
	}
	return strings.NewReplacer(pairs...)
}

// jsonSpellings are how a string is written in JSON: with HTML's characters
// escaped or not, and with slashes escaped or not.
func jsonSpellings(s string) []string {
	var out []string
	for _, escapeHTML := range []bool{true, false} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(escapeHTML)
		if enc.Encode(s) != nil {
			continue // a string always encodes
		}
		literal := strings.TrimSpace(b.String())
		inner := literal[1 : len(literal)-1]
		out = append(out, inner, strings.ReplaceAll(inner, "/", `\/`))
	}
	return out
}
