package sealed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Keys open a file: Passphrase is called for one that is encrypted with a passphrase,
// Files are private keys of age or SSH for any other.
type Keys struct {
	Passphrase func() (string, error)
	Files      []string
}

// Open returns the content of the encrypted file f, called name in errors. All of it is
// decrypted once before Open returns, so that a file that is cut short or altered is an
// error and gives nothing. f is read from its beginning, also by the returned reader.
func Open(name string, f io.ReadSeeker, keys Keys) (io.Reader, error) {
	body, err := rewound(f)
	if err != nil {
		return nil, err
	}
	header, err := age.ExtractHeader(body)
	if err != nil {
		return nil, damaged(name, err)
	}
	key, err := fileKey(name, header, keys)
	if err != nil {
		return nil, err
	}
	plain, err := decrypted(f, key)
	if err == nil {
		_, err = io.Copy(io.Discard, plain)
	}
	if err != nil {
		return nil, damaged(name, err)
	}
	return decrypted(f, key)
}

func decrypted(f io.ReadSeeker, key []byte) (io.Reader, error) {
	body, err := rewound(f)
	if err != nil {
		return nil, err
	}
	return age.Decrypt(body, age.NewInjectedFileKeyIdentity(key))
}

// rewound reads f from its beginning, without its armor.
func rewound(f io.ReadSeeker) (io.Reader, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the encrypted file: %w", err)
	}
	body := bufio.NewReader(f)
	if head, _ := body.Peek(len(armorHead)); string(head) == armorHead {
		return armor.NewReader(body), nil
	}
	return body, nil
}

func damaged(name string, err error) error {
	return &evidence.Problem{What: fmt.Sprintf("%s is cut short, altered or no whole file of age: nothing of it was used", name), Try: "take another copy of it", Usage: true, Cause: err}
}

// kinds is an identity that opens nothing and notes what a file is encrypted to.
type kinds struct{ seen []string }

// Unwrap implements age.Identity.
func (k *kinds) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	for _, s := range stanzas {
		k.seen = append(k.seen, s.Type)
	}
	return nil, age.ErrIncorrectIdentity
}

// fileKey opens the header with the keys.
func fileKey(name string, header []byte, keys Keys) ([]byte, error) {
	var to kinds
	_, err := age.DecryptHeader(header, &to)
	if len(to.seen) == 0 {
		return nil, damaged(name, err)
	}
	var ids []age.Identity
	wrong := &evidence.Problem{Usage: true}
	if byPassphrase := to.seen[0] == "scrypt"; byPassphrase {
		if ids, err = passphraseOf(keys); err != nil {
			return nil, err
		}
		wrong.What, wrong.Try = "the passphrase does not open "+name, "try again with the passphrase that it was encrypted with"
	} else {
		if len(keys.Files) == 0 {
			return nil, evidence.BadInput(fmt.Sprintf("%s is encrypted to a key (%s)", name, strings.Join(to.seen, ", ")), "name the file of the private key with --identity")
		}
		if ids, err = identities(keys.Files); err != nil {
			return nil, err
		}
		wrong.What = fmt.Sprintf("no key in %s opens %s, which is encrypted to another", strings.Join(keys.Files, ", "), name)
		wrong.Try = "name the private key of a recipient with --identity"
	}
	key, err := age.DecryptHeader(header, ids...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		wrong.Cause = err
		return nil, wrong
	}
	if err != nil {
		return nil, damaged(name, err)
	}
	return key, nil
}

func passphraseOf(keys Keys) ([]age.Identity, error) {
	p, err := keys.Passphrase()
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(p)
	if err != nil {
		return nil, evidence.BadInput("the passphrase is empty", "give the passphrase that the file was encrypted with")
	}
	return []age.Identity{id}, nil
}

// identities reads private keys of age, one a line, or an SSH private key of each file.
func identities(files []string) ([]age.Identity, error) {
	var out []age.Identity
	for _, file := range files {
		raw, err := readKeys(file)
		if err != nil {
			return nil, err
		}
		var list []age.Identity
		if bytes.Contains(raw, []byte("PRIVATE KEY-----")) {
			var id age.Identity
			if id, err = agessh.ParseIdentity(raw); err == nil {
				list = []age.Identity{id}
			}
		} else {
			list, err = age.ParseIdentities(bytes.NewReader(raw))
		}
		var locked *ssh.PassphraseMissingError
		if errors.As(err, &locked) {
			return nil, evidence.BadInput(fmt.Sprintf("the SSH key in %s has a passphrase of its own, which is not supported", file), "decrypt the file with the program age: age -d -i "+file)
		}
		if err != nil { // not quoted: it may hold a part of the key
			return nil, evidence.BadInput(file+" holds no private key of age or SSH", "name a file with a line that begins with AGE-SECRET-KEY-1, or an SSH private key")
		}
		out = append(out, list...)
	}
	return out, nil
}
