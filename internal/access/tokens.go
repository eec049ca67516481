package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Tokens are those of a token file, for a server: a change of the file holds from the next
// request on. A file that becomes unusable changes nothing, with a warning; one that is
// deleted has no tokens. It is safe for concurrent use.
type Tokens struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	mu   sync.Mutex
	seen stamp
	all  []entry
}

// entry is a token that is not revoked.
type entry struct {
	sum   [sha256.Size]byte
	token Token
}

// OpenTokens reads the file. Its error is an *evidence.Problem.
func OpenTokens(path string, log *slog.Logger, now func() time.Time) (*Tokens, error) {
	t := &Tokens{path: path, log: log, now: now, seen: stampOf(path)}
	list, err := readTokens(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &evidence.Problem{What: "there is no token file " + path, Try: "`research-mcp token add NAME` makes it"}
	}
	if err != nil {
		var p *evidence.Problem
		if errors.As(err, &p) {
			return nil, err
		}
		return nil, unusable(path, err.Error())
	}
	t.set(list)
	return t, nil
}

// find returns the token of a secret that is neither unknown, revoked nor expired. All
// entries are compared, each in constant time.
func (t *Tokens) find(secret string) (Token, bool) { return t.findDigest(digestOf(secret)) }

// digestOf is what is kept of a secret.
func digestOf(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

func (t *Tokens) findDigest(sum [sha256.Size]byte) (Token, bool) {
	found := -1
	all := t.current()
	for i := range all {
		if subtle.ConstantTimeCompare(sum[:], all[i].sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 || all[found].token.State(t.now()) != "active" {
		return Token{}, false
	}
	return all[found].token, true
}

// isSecret reports whether s has the form of a token of a token file.
func isSecret(s string) bool { return strings.HasPrefix(s, secretPrefix) }

// current reads the file again if it changed.
func (t *Tokens) current() []entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := stampOf(t.path)
	if now.equal(t.seen) {
		return t.all
	}
	t.seen = now
	switch list, err := readTokens(t.path); {
	case errors.Is(err, fs.ErrNotExist):
		t.log.Warn("the token file was deleted: no token is accepted until there is one", "path", t.path)
		t.all = nil
	case err != nil:
		t.log.Warn("the token file cannot be used; the tokens that were read before stay valid", "path", t.path, "err", err)
	default:
		t.set(list)
	}
	return t.all
}

func (t *Tokens) set(list []Token) {
	all := make([]entry, 0, len(list)) // a new one: callers read the old
	for _, token := range list {
		if sum, ok := digest(token.Hash); ok && token.Revoked.IsZero() {
			all = append(all, entry{sum, token})
		}
	}
	t.all = all
}

// stamp tells one state of a file from another.
type stamp struct {
	info os.FileInfo // nil: there is none
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func (s stamp) equal(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return os.SameFile(s.info, other.info) && s.info.ModTime().Equal(other.info.ModTime()) && s.info.Size() == other.info.Size() && s.info.Mode() == other.info.Mode()
}
