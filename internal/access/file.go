package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	fileVersion = 1
	maxFile     = 8 << 20          // bytes of a token file
	maxTokens   = 10_000           // each request compares with all of them
	lockWait    = 15 * time.Second // for another process that writes the file
	lockRetry   = 20 * time.Millisecond

	// secretPrefix makes tokens recognizable in logs and repositories; redact knows it.
	secretPrefix = "rmcp_"
	secretBytes  = 32 // random: so many that a plain hash of them cannot be inverted
	hashPrefix   = "sha256:"
)

// Token is an entry of the token file. The secret itself is not in it.
type Token struct {
	Name    string    `json:"name"`
	Tenant  string    `json:"tenant,omitempty"`
	Scopes  []string  `json:"scopes,omitzero"` // nil: all
	Created time.Time `json:"created_at"`
	Expires time.Time `json:"expires_at,omitzero"`
	Revoked time.Time `json:"revoked_at,omitzero"`
	Hash    string    `json:"hash,omitempty"` // of the secret; a revoked token has none
}

// State is active, expired or revoked.
func (t Token) State(now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return "expired"
	}
	return "active"
}

type tokenFile struct {
	Version int     `json:"version"`
	Tokens  []Token `json:"tokens"`
}

// File is the token file, for commands that change it. Several processes may.
type File struct {
	path string
	now  func() time.Time
}

// NewFile names the file; it need not exist.
func NewFile(path string, now func() time.Time) *File { return &File{path, now} }

// Path is where the file is.
func (f *File) Path() string { return f.path }

// List returns the tokens, sorted by name. A file that does not exist has none.
func (f *File) List() ([]Token, error) {
	tokens, err := readTokens(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return tokens, err
}

// Add makes a token and returns its secret, which is nowhere else. The name of a revoked
// token can be given again.
func (f *File) Add(ctx context.Context, t Token) (secret string, err error) {
	if isSecret(t.Name) { // the name is stored and shown
		return "", evidence.BadInput("the name of the new token begins with "+secretPrefix+", as tokens themselves do", "name who uses it, such as laptop")
	}
	if err := t.check(f.now()); err != nil {
		return "", err
	}
	if len(t.Scopes) == 0 {
		t.Scopes = nil
	}
	err = f.change(ctx, func(tokens []Token) ([]Token, error) {
		if i := find(tokens, t.Name); i >= 0 {
			if tokens[i].Revoked.IsZero() {
				return nil, evidence.BadInput(fmt.Sprintf("there is a token %q already", t.Name), "choose another name, or `research-mcp token rotate "+t.Name+"` to give it a new secret")
			}
			tokens = slices.Delete(tokens, i, i+1)
		}
		if len(tokens) >= maxTokens {
			return nil, &evidence.Problem{What: fmt.Sprintf("the token file %s has %d tokens, the most there can be", f.path, len(tokens)), Try: "remove revoked ones from it"}
		}
		t.Created, t.Revoked = f.now().UTC().Truncate(time.Second), time.Time{}
		secret, t.Hash = newSecret()
		return append(tokens, t), nil
	})
	return secret, err
}

// Rotate gives a token a new secret; the old one is refused from now on. A zero expires
// leaves the time as it is.
func (f *File) Rotate(ctx context.Context, name string, expires time.Time) (t Token, secret string, err error) {
	err = f.change(ctx, func(tokens []Token) ([]Token, error) {
		i, err := f.usable(tokens, name)
		if err != nil {
			return nil, err
		}
		if !expires.IsZero() {
			tokens[i].Expires = expires
		}
		if tokens[i].State(f.now()) == "expired" {
			return nil, evidence.BadInput(fmt.Sprintf("the token %q expired on %s", name, tokens[i].Expires.Format(time.DateOnly)), "give --expires, such as --expires 90d")
		}
		secret, tokens[i].Hash = newSecret()
		t = tokens[i]
		return tokens, nil
	})
	return t, secret, err
}

// Revoke makes a token useless. Its name stays in the list.
func (f *File) Revoke(ctx context.Context, name string) error {
	return f.change(ctx, func(tokens []Token) ([]Token, error) {
		i, err := f.usable(tokens, name)
		if err != nil {
			return nil, err
		}
		tokens[i].Revoked, tokens[i].Hash = f.now().UTC().Truncate(time.Second), ""
		return tokens, nil
	})
}

// usable finds a token that is not revoked.
func (f *File) usable(tokens []Token, name string) (int, error) {
	i := find(tokens, name)
	if i < 0 {
		return 0, evidence.BadInput(fmt.Sprintf("there is no token %q in %s", name, f.path), "`research-mcp token list` shows the names")
	}
	if !tokens[i].Revoked.IsZero() {
		return 0, evidence.BadInput(fmt.Sprintf("the token %q was revoked on %s", name, tokens[i].Revoked.Format(time.DateOnly)), "`research-mcp token add "+name+"` makes a new one of that name")
	}
	return i, nil
}

func find(tokens []Token, name string) int {
	return slices.IndexFunc(tokens, func(t Token) bool { return t.Name == name })
}

// check refuses what cannot be a new token.
func (t Token) check(now time.Time) error {
	if !validName(t.Name, "-_.@") {
		return evidence.BadInput(fmt.Sprintf("a token cannot be named %q", t.Name), "use 1 to 63 letters, digits, -, _, . and @, beginning with a letter or digit")
	}
	if t.Tenant != "" && !ValidTenant(t.Tenant) {
		return evidence.BadInput(fmt.Sprintf("a tenant cannot be named %q", t.Tenant), "use "+TenantNames)
	}
	for _, s := range t.Scopes {
		if !validScope(s) {
			return evidence.BadInput(fmt.Sprintf("%q is not a scope", s), "use letters, digits and : . - _ /, such as research:read")
		}
	}
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return evidence.BadInput(fmt.Sprintf("a token cannot expire on %s, which is past", t.Expires.Format(time.RFC3339)), "give a later time, such as --expires 90d")
	}
	return nil
}

// newSecret returns a secret and what is stored of it.
func newSecret() (secret, hash string) {
	var b [secretBytes]byte
	rand.Read(b[:]) // never fails: the program would end instead
	secret = secretPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	sum := digestOf(secret)
	return secret, hashPrefix + hex.EncodeToString(sum[:])
}

// readTokens reads and checks the file. Its error names what is wrong with it.
func readTokens(path string) ([]Token, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, unusable(path, "it is not a file of at most 8 MiB")
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, &evidence.Problem{What: fmt.Sprintf("the token file %s can be changed by other users (its mode is %04o)", path, info.Mode().Perm()), Try: "`chmod 600 " + path + "`"}
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	var content tokenFile
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, unusable(path, "it is not JSON of the right form")
	}
	if content.Version != fileVersion {
		return nil, unusable(path, fmt.Sprintf("its version is %d, and this program reads version %d", content.Version, fileVersion))
	}
	return content.Tokens, checkAll(path, content.Tokens)
}

func unusable(path, why string) error {
	return &evidence.Problem{What: fmt.Sprintf("the token file %s cannot be used: %s", path, why), Try: "restore it, or move it away and add the tokens again with `research-mcp token add`"}
}

// checkAll refuses a file with any entry that is wrong: to leave one out silently could
// bring back what its owner had restricted.
func checkAll(path string, tokens []Token) error {
	if len(tokens) > maxTokens {
		return unusable(path, fmt.Sprintf("it has %d tokens, and the most is %d", len(tokens), maxTokens))
	}
	seen := map[string]bool{}
	for i, t := range tokens {
		_, hashed := digest(t.Hash)
		valid := t.check(time.Time{}) == nil
		switch {
		case !valid:
			return unusable(path, fmt.Sprintf("the name, tenant or scopes of its token no. %d are not valid", i+1))
		case seen[t.Name]:
			return unusable(path, fmt.Sprintf("it has two tokens %q", t.Name))
		case t.Revoked.IsZero() && !hashed:
			return unusable(path, fmt.Sprintf("the hash of the token %q is not one", t.Name))
		}
		seen[t.Name] = true
	}
	slices.SortFunc(tokens, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// digest decodes what the file has of a secret.
func digest(hash string) (sum [sha256.Size]byte, ok bool) {
	raw, err := hex.DecodeString(strings.TrimPrefix(hash, hashPrefix))
	if err != nil || len(raw) != len(sum) || !strings.HasPrefix(hash, hashPrefix) {
		return sum, false
	}
	return [sha256.Size]byte(raw), true
}

// change reads the file, applies edit and writes it, while other processes wait.
func (f *File) change(ctx context.Context, edit func([]Token) ([]Token, error)) (err error) {
	path := f.path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays one
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return writeProblem(path, err)
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if ok, err := lock.TryLockContext(waiting, lockRetry); !ok {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return &evidence.Problem{What: "another process is changing the token file " + path, Try: "try again in a moment"}
		}
		return writeProblem(path, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	tokens, err := readTokens(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if tokens, err = edit(tokens); err != nil {
		return err
	}
	if err := replace(path, tokens); err != nil {
		return writeProblem(path, err)
	}
	return nil
}

func writeProblem(path string, err error) error {
	return &evidence.Problem{What: fmt.Sprintf("the token file %s cannot be written: %v", path, err), Try: "look at the permissions of its folder, or name another with the setting server.http.tokens_file", Cause: err}
}

// replace writes the file under another name and renames it, so that a reader sees the old
// or the new one.
func replace(path string, tokens []Token) (err error) {
	slices.SortFunc(tokens, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	raw, err := json.MarshalIndent(tokenFile{fileVersion, tokens}, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = temp.Write(append(raw, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
