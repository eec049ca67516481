package config

import (
	"io"
	"os"
	"strings"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// maxKeyFile bounds what is read of a key file, in bytes.
const maxKeyFile = 16 << 10

// PassphraseEnv is the environment variable of the passphrase of encrypted exports and
// backups. It is no setting: a settings file is the wrong place for it.
const PassphraseEnv = EnvPrefix + "PASSPHRASE"

// Secrets returns the values in the settings that nothing may show or store: those of
// secret settings, passwords and tokens in any address, and the key in models.key_file.
func (c *Config) Secrets() []string {
	out := append([]string{}, c.secrets...)
	if key := c.keyInFile(); key != "" {
		out = append(out, key)
	}
	return out
}

// keyInFile is the content of models.key_file; what cannot be read is refused when the
// models are opened.
func (c *Config) keyInFile() string {
	if c.Models.KeyFile == "" {
		return ""
	}
	f, err := os.Open(c.Models.KeyFile)
	if err != nil {
		return ""
	}
	defer f.Close()
	raw, _ := io.ReadAll(io.LimitReader(f, maxKeyFile))
	return strings.TrimSpace(string(raw))
}

// secretsIn returns the secrets in a value of the setting.
func (k key) secretsIn(value string) []string {
	var out []string
	if value = strings.TrimSpace(value); k.secret && value != "" {
		out = append(out, value)
	}
	find := redact.InURL
	if k.private {
		find = redact.InPrivateURL
	}
	for _, item := range redact.Items(value) {
		if strings.ContainsAny(item, "@?#") || strings.Contains(item, "://") {
			out = append(out, find(item)...)
		}
	}
	return out
}
