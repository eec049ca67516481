package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
)

func newToken(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Tokens by which clients may call `serve --http`", Args: aCommand,
		Long: `Manages the tokens by which clients may call a server that is started with ` + "`serve --http`" + `.
They are in a file, tokens.json in the data folder unless the setting
server.http.tokens_file names another. It has the hash of each, not the token
itself, which is shown once. A server that runs with the file sees each change at once.

A client sends its token in the header Authorization: Bearer TOKEN.`,
		Example: `research-mcp token add laptop
research-mcp token add ci --tenant build --expires 90d
research-mcp token rotate laptop
research-mcp token revoke ci`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenAdd(c), newTokenList(c), newTokenRevoke(c), newTokenRotate(c))
	return cmd
}

// tokens is the token file that the settings name.
func (c *console) tokens() (*access.File, error) {
	cfg, err := c.settings()
	if err != nil {
		return nil, err
	}
	return access.NewFile(cfg.TokensFile(), time.Now), nil
}

func newTokenAdd(c *console) *cobra.Command {
	var t access.Token
	var expires string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a token, and print it once", Args: exactly(1, "one name"),
		Long: `Makes a token and prints it, alone, on standard output: put it where its user keeps
secrets, because it cannot be shown again.

A tenant has a memory of its own: documents, sessions and answers, which no token of
another tenant can see. Tokens of one tenant share its memory; those without a tenant
use the memory of the data folder.

Where the setting server.http.write_scope names a scope, a token that was made with
others, and without it, may not remember and forget.`,
		Example: `research-mcp token add laptop
research-mcp token add ci --tenant build --expires 90d > ci.token
research-mcp token add reader --scope research:read > reader.token`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := c.tokens()
			if err != nil {
				return err
			}
			t.Name = args[0]
			if t.Expires, err = c.expiry(expires); err != nil {
				return err
			}
			secret, err := file.Add(cmd.Context(), t)
			if err != nil {
				return err
			}
			return c.showSecret(t, secret, file.Path())
		},
	}
	cmd.Flags().StringVar(&t.Tenant, "tenant", "", "whose memory is used, created with its first use; without, that of the data folder")
	cmd.Flags().StringSliceVar(&t.Scopes, "scope", nil, "scopes that it has, if server.http.scopes or server.http.write_scope asks for some; without, all")
	expiresFlag(cmd, &expires)
	return cmd
}

func expiresFlag(cmd *cobra.Command, expires *string) {
	cmd.Flags().StringVar(expires, "expires", "", "when it ends: after days or hours such as 90d or 12h, or at a day such as 2027-01-31 or a moment (RFC 3339)")
}

// expiry reads --expires; "" is never.
func (c *console) expiry(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	now := time.Now()
	if days, err := strconv.Atoi(strings.TrimSuffix(s, "d")); err == nil && strings.HasSuffix(s, "d") && days > 0 && days <= 36500 {
		return now.AddDate(0, 0, days).UTC().Truncate(time.Second), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	at, err := library.ParseTime("--expires", s, true, now, c.zone)
	if err != nil {
		return time.Time{}, evidence.BadInput(fmt.Sprintf("--expires cannot be %q", s), "write 90d, 12h, a day such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z")
	}
	return at.UTC().Truncate(time.Second), nil
}

// showSecret prints a secret, which nothing else prints: it goes around what removes
// secrets from the output.
func (c *console) showSecret(t access.Token, secret, path string) error {
	if c.json {
		_, err := fmt.Fprintf(c.raw, "{\n  \"name\": %q,\n  \"tenant\": %q,\n  \"expires_at\": %q,\n  \"token\": %q\n}\n", t.Name, t.Tenant, moment(t.Expires), secret)
		return err
	}
	if _, err := fmt.Fprintln(c.raw, secret); err != nil {
		return errors.Join(err, errors.New("the token could not be shown: revoke it"))
	}
	c.note(fmt.Sprintf("This is the token %q, shown once; its hash is in %s.", t.Name, path))
	return nil
}

// moment is a time in JSON, "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func newTokenList(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the tokens: names, tenants and states, no secrets", Args: none,
		RunE: func(*cobra.Command, []string) error {
			file, err := c.tokens()
			if err != nil {
				return err
			}
			list, err := file.List()
			if err != nil {
				return err
			}
			return c.printTokens(list)
		},
	}
}

// tokenJSON is a token in a list.
type tokenJSON struct {
	Name    string    `json:"name"`
	Tenant  string    `json:"tenant"`
	Scopes  []string  `json:"scopes,omitempty"`
	State   string    `json:"state"`
	Created time.Time `json:"created_at"`
	Expires time.Time `json:"expires_at,omitzero"`
	Revoked time.Time `json:"revoked_at,omitzero"`
}

func (c *console) printTokens(list []access.Token) error {
	now := time.Now()
	if c.json {
		out := []tokenJSON{}
		for _, t := range list {
			out = append(out, tokenJSON{t.Name, t.Tenant, t.Scopes, t.State(now), t.Created, t.Expires, t.Revoked})
		}
		return c.print(map[string]any{"tokens": out})
	}
	var rows [][]string
	for _, t := range list {
		state := t.State(now)
		switch {
		case state == "revoked":
			state += " " + c.day(t.Revoked)
		case !t.Expires.IsZero() && state == "active":
			state += " until " + c.day(t.Expires)
		}
		rows = append(rows, []string{t.Name, cmp.Or(t.Tenant, "(no tenant)"), state, "added " + c.day(t.Created), strings.Join(t.Scopes, " ")})
	}
	return c.printList(rows, "There is no token yet: `research-mcp token add NAME` makes one.")
}

func newTokenRevoke(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME", Short: "Make a token useless, at once and for good", Args: exactly(1, "one name"),
		Example: "research-mcp token revoke ci",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := c.tokens()
			if err != nil {
				return err
			}
			if err := file.Revoke(cmd.Context(), args[0]); err != nil {
				return err
			}
			if c.json {
				return c.print(map[string]any{"revoked": args[0]})
			}
			return c.say("The token %q is revoked.", args[0])
		},
	}
}

func newTokenRotate(c *console) *cobra.Command {
	var expires string
	cmd := &cobra.Command{
		Use: "rotate NAME", Short: "Give a token a new secret, and print it once", Args: exactly(1, "one name"),
		Long:    "Gives a token a new secret and prints it once. The old secret is refused from then on;\nname, tenant and scopes stay, and so does the end unless --expires sets another.",
		Example: "research-mcp token rotate laptop --expires 90d",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := c.tokens()
			if err != nil {
				return err
			}
			at, err := c.expiry(expires)
			if err != nil {
				return err
			}
			t, secret, err := file.Rotate(cmd.Context(), args[0], at)
			if err != nil {
				return err
			}
			return c.showSecret(t, secret, file.Path())
		},
	}
	expiresFlag(cmd, &expires)
	return cmd
}
