// Package sealed encrypts files with age, by a passphrase or to the keys of recipients,
// and opens such files. A file is verified as a whole before anything of it is used, and
// after it was written. Its errors are *evidence.Problem.
package sealed

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
)

// To is who can open what is encrypted.
type To struct{ recipients []age.Recipient }

// Passphrase is everybody who knows p.
func Passphrase(p string) (*To, error) {
	if p == "" {
		return nil, evidence.BadInput("the passphrase is empty", "choose one of several words")
	}
	r, err := age.NewScryptRecipient(p)
	if err != nil {
		return nil, fmt.Errorf("deriving a key from the passphrase: %w", err)
	}
	return &To{[]age.Recipient{r}}, nil
}

// maxKeys bounds a file of recipients or identities, in bytes.
const maxKeys = 1 << 20

// Recipients are the owners of the keys: age1… or SSH public keys (keys), and those in
// files with one key a line.
func Recipients(keys, files []string) (*To, error) {
	to := &To{}
	for _, k := range keys {
		r, err := recipient(k)
		if err != nil {
			return nil, evidence.BadInput(fmt.Sprintf("%.60q is no public key: %v", redact.Shapes(k), err), "give a key that begins with age1, or an SSH public key (ssh-ed25519 or ssh-rsa)")
		}
		to.recipients = append(to.recipients, r)
	}
	for _, file := range files {
		raw, err := readKeys(file)
		if err != nil {
			return nil, err
		}
		n := 0
		for line := range strings.Lines(string(raw)) {
			n++
			if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
				continue
			}
			r, err := recipient(line)
			if err != nil {
				return nil, evidence.BadInput(fmt.Sprintf("line %d of %s is no public key: %v", n, file, err), "write age1… or SSH public keys into it, one a line")
			}
			to.recipients = append(to.recipients, r)
		}
	}
	if len(to.recipients) == 0 {
		return nil, evidence.BadInput("there is no recipient in "+strings.Join(files, ", "), "write age1… or SSH public keys into it, one a line")
	}
	return to, nil
}

// Setting are the recipients of a setting: keys, and names of files of keys, with commas
// between them. It is nil for an empty one.
func Setting(value string) (*To, error) {
	var keys, files []string
	for item := range strings.SplitSeq(value, ",") {
		switch item = strings.TrimSpace(item); {
		case item == "":
		case strings.HasPrefix(item, "age1"), strings.HasPrefix(item, "ssh-"), strings.HasPrefix(item, "AGE-"):
			keys = append(keys, item)
		default:
			files = append(files, item)
		}
	}
	if len(keys)+len(files) == 0 {
		return nil, nil
	}
	return Recipients(keys, files)
}

// errPrivate is a private key in the place of a public one. It is not quoted.
var errPrivate = errors.New("it is a private key")

func recipient(s string) (age.Recipient, error) {
	switch {
	case strings.HasPrefix(s, "ssh-"):
		return agessh.ParseRecipient(s)
	case strings.HasPrefix(s, "AGE-"), strings.Contains(s, "PRIVATE KEY"):
		return nil, errPrivate
	}
	list, err := age.ParseRecipients(strings.NewReader(s))
	if err != nil || len(list) != 1 {
		return nil, errors.New("it is neither an age nor an SSH key")
	}
	return list[0], nil
}

func readKeys(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, &evidence.Problem{What: fmt.Sprintf("the key file %s cannot be read: %v", file, reason(err)), Try: "name a file of keys, one a line", Usage: true, Cause: err}
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err != nil || len(raw) > maxKeys {
		return nil, evidence.BadInput(fmt.Sprintf("the key file %s cannot be read, or is larger than %d kB", file, maxKeys>>10), "name a file of keys, one a line")
	}
	return raw, nil
}

// reason is the cause of a PathError without its path.
func reason(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Writer encrypts what is written to it. Close it, then Verify what was written.
type Writer struct {
	out io.WriteCloser
	sum hash.Hash
	key []byte // of this file; only in memory
}

// Seal returns a Writer to w.
func (t *To) Seal(w io.Writer) (*Writer, error) {
	out := &Writer{sum: sha256.New()}
	recipients := make([]age.Recipient, len(t.recipients))
	for i, r := range t.recipients {
		recipients[i] = witness{r, out}
	}
	var err error
	if out.out, err = age.Encrypt(w, recipients...); err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	return out, nil
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.sum.Write(p)
	return w.out.Write(p)
}

// Close writes the end; it does not close the file.
func (w *Writer) Close() error { return w.out.Close() }

// Verify decrypts r, which is the whole file, and compares it with what was written.
func (w *Writer) Verify(r io.Reader) error {
	plain, err := age.Decrypt(r, age.NewInjectedFileKeyIdentity(w.key))
	if err != nil {
		return fmt.Errorf("verifying the encrypted file: %w", err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, plain); err != nil {
		return fmt.Errorf("verifying the encrypted file: %w", err)
	}
	if !bytes.Equal(sum.Sum(nil), w.sum.Sum(nil)) {
		return errors.New("verifying the encrypted file: it is not what was written")
	}
	return nil
}

// witness is a recipient that tells the Writer the file's key, by which it is verified.
type witness struct {
	age.Recipient
	of *Writer
}

// Wrap implements age.Recipient.
func (r witness) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	r.of.key = bytes.Clone(fileKey)
	return r.Recipient.Wrap(fileKey)
}

// WrapWithLabels implements age.RecipientWithLabels.
func (r witness) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	if labelled, ok := r.Recipient.(age.RecipientWithLabels); ok {
		r.of.key = bytes.Clone(fileKey)
		return labelled.WrapWithLabels(fileKey)
	}
	stanzas, err := r.Wrap(fileKey)
	return stanzas, nil, err
}

const (
	binaryHead = "age-encryption.org/"
	armorHead  = "-----BEGIN AGE ENCRYPTED FILE-----"
)

// IsSealed reports whether r begins as a file of age does. It reads nothing that a later
// Read of r would miss.
func IsSealed(r *bufio.Reader) bool {
	head, _ := r.Peek(len(armorHead))
	return bytes.HasPrefix(head, []byte(binaryHead)) || bytes.Equal(head, []byte(armorHead))
}
