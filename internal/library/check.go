package library

import (
	"fmt"
	"net/url"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Limits of what a caller may pass, in bytes.
const (
	MaxQuery = 20_000 // of a query or question; a longer one is a document
	MaxURL   = 2048
)

// CheckQuery returns an *evidence.Problem for a query without visible text, one
// that is too long, and one that is not UTF-8. name says what it is, such as
// "question".
func CheckQuery(name, query string) error {
	switch {
	case !text.HasVisible(query):
		return evidence.BadInput("the "+name+" is empty", "ask something, such as \"How does Go schedule goroutines?\"")
	case len(query) > MaxQuery:
		return CheckLength(name, len(query))
	case !utf8.ValidString(query):
		return evidence.BadInput("the "+name+" is not valid UTF-8", "send it as UTF-8 text")
	}
	return nil
}

// CheckLength returns an *evidence.Problem for a query of more than MaxQuery bytes.
func CheckLength(name string, bytes int) error {
	if bytes <= MaxQuery {
		return nil
	}
	return evidence.BadInput(fmt.Sprintf("the %s has %d bytes", name, bytes),
		fmt.Sprintf("keep it under %d; give long material to remember and ask about it", MaxQuery))
}

// CheckURLLength returns an *evidence.Problem for an address that is too long.
func CheckURLLength(name, address string) error {
	if len(address) > MaxURL {
		return evidence.BadInput(fmt.Sprintf("%s is %d bytes long", name, len(address)), fmt.Sprintf("keep it under %d", MaxURL))
	}
	return nil
}

// CheckURL returns an *evidence.Problem for an address that is not an absolute
// one with http or https, and for one that is too long. name says what it is,
// such as `argument "url"`.
func CheckURL(name, address string) error {
	if err := CheckURLLength(name, address); err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return evidence.BadInput(fmt.Sprintf("%s is %s", name, quoted(address)), "give an absolute address that begins with https:// or http://")
	}
	return nil
}

// quoted shows a caller's value, without what a reader cannot see and not too
// much of it.
func quoted(s string) string {
	return fmt.Sprintf("%q", shortened(visible(s), 60))
}
