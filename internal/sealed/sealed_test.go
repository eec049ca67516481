package sealed

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// plain is longer than two blocks of age.
var plain = strings.Repeat("The quokka census of Rottnest.\n", 5000)

// seal encrypts plain, and verifies it.
func seal(t *testing.T, to *To) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := to.Seal(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Verify(bytes.NewReader(out.Bytes())); err != nil {
		t.Fatalf("Verify: %v", err)
	}
	altered := bytes.Clone(out.Bytes())
	altered[len(altered)/2] ^= 1
	if w.Verify(bytes.NewReader(altered)) == nil || w.Verify(bytes.NewReader(out.Bytes()[:out.Len()-1])) == nil {
		t.Error("Verify accepts a file that is altered or cut short")
	}
	return out.Bytes()
}

// cheap is a passphrase whose key is derived quickly.
func cheap(t *testing.T, p string) *To {
	t.Helper()
	r, err := age.NewScryptRecipient(p)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(4)
	return &To{[]age.Recipient{r}}
}

func keyFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func newKey(t *testing.T) (public, privateFile string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), keyFile(t, "# made by a test\n"+id.String()+"\n")
}

func said(p string) func() (string, error) { return func() (string, error) { return p, nil } }

// newSSHKey makes a key pair of SSH.
func newSSHKey(t *testing.T) (public, privateFile string) {
	t.Helper()
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "test")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), keyFile(t, string(pem.EncodeToMemory(block)))
}

func TestSealedFilesAreOpenedByTheirKeys(t *testing.T) {
	t.Parallel()
	public, private := newKey(t)
	sshPublic, other := newSSHKey(t)
	both := keyFile(t, "# two\n\n"+public+"\n"+sshPublic+" test\n")
	for _, c := range []struct {
		name string
		to   func() (*To, error)
		keys Keys
	}{
		{"passphrase", func() (*To, error) { return cheap(t, "a long one"), nil }, Keys{Passphrase: said("a long one")}},
		{"a key of age", func() (*To, error) { return Recipients([]string{public}, nil) }, Keys{Files: []string{private}}},
		{"a key of SSH", func() (*To, error) { return Recipients([]string{sshPublic}, nil) }, Keys{Files: []string{other}}},
		{"a file of recipients", func() (*To, error) { return Recipients(nil, []string{both}) }, Keys{Files: []string{other}}},
		{"a setting", func() (*To, error) { return Setting(public + ", " + both) }, Keys{Files: []string{private}}},
	} {
		to, err := c.to()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		file := seal(t, to)
		if !IsSealed(bufio.NewReader(bytes.NewReader(file))) || bytes.Contains(file, []byte("quokka")) {
			t.Errorf("%s: it is not encrypted", c.name)
		}
		var armored bytes.Buffer
		a := armor.NewWriter(&armored)
		_, _ = a.Write(file)
		_ = a.Close()
		for form, raw := range map[string][]byte{"binary": file, "armored": armored.Bytes()} {
			r, err := Open("f.age", bytes.NewReader(raw), c.keys)
			if err != nil {
				t.Errorf("%s, %s: %v", c.name, form, err)
				continue
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != plain {
				t.Errorf("%s, %s: %d bytes, %v", c.name, form, len(got), err)
			}
		}
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	public, private := newKey(t)
	_, stranger := newKey(t)
	byPass := seal(t, cheap(t, "a long one"))
	to, err := Recipients([]string{public}, nil)
	if err != nil {
		t.Fatal(err)
	}
	byKey := seal(t, to)
	flipped := bytes.Clone(byKey)
	flipped[len(flipped)-40] ^= 4
	head := bytes.Clone(byKey)
	head[40] ^= 1
	mine := Keys{Files: []string{private}}
	for _, c := range []struct {
		name string
		file []byte
		keys Keys
		want string
	}{
		{"wrong passphrase", byPass, Keys{Passphrase: said("another one")}, "the passphrase does not open f.age"},
		{"no passphrase", byPass, Keys{Passphrase: said("")}, "the passphrase is empty"},
		{"no terminal", byPass, Keys{Passphrase: func() (string, error) { return "", errors.New("no terminal") }}, "no terminal"},
		{"no key", byKey, Keys{}, "encrypted to a key (X25519)"},
		{"another's key", byKey, Keys{Files: []string{stranger}}, "which is encrypted to another"},
		{"no key in the file", byKey, Keys{Files: []string{keyFile(t, "hunter2hunter2")}}, "holds no private key"},
		{"no such file", byKey, Keys{Files: []string{"/nowhere/key.txt"}}, "/nowhere/key.txt cannot be read"},
		{"cut short", byKey[:len(byKey)-100], mine, "cut short"},
		{"cut after the first block", byKey[:70_000], mine, "cut short"},
		{"cut in the header", byKey[:60], mine, "cut short"},
		{"altered at the end", flipped, mine, "altered"},
		{"altered in the header", head, mine, ""},
		{"longer", append(bytes.Clone(byKey), 'x'), mine, "altered"},
		{"only a beginning", []byte("age-encryption.org/v1\n"), mine, "cut short"},
	} {
		r, err := Open("f.age", bytes.NewReader(c.file), c.keys)
		if err == nil || r != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestRecipientsAreChecked(t *testing.T) {
	t.Parallel()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2][]string{
		"a private key":           {{id.String()}, nil},
		"words":                   {{"my key"}, nil},
		"half a key":              {{id.Recipient().String()[:30]}, nil},
		"no file":                 {nil, {"/nowhere"}},
		"an empty file":           {nil, {keyFile(t, "# none\n")}},
		"a private key in a file": {nil, {keyFile(t, id.String())}},
	} {
		_, err := Recipients(c[0], c[1])
		var p *evidence.Problem
		if !errors.As(err, &p) || !p.Usage || p.Try == "" || strings.Contains(err.Error(), id.String()[:40]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if to, err := Setting(" , "); to != nil || err != nil {
		t.Errorf("an empty setting: %v, %v", to, err)
	}
	if _, err := Passphrase(""); err == nil {
		t.Error("an empty passphrase is taken")
	}
}

func FuzzOpen(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(f.TempDir(), "key.txt")
	if err := os.WriteFile(file, []byte(id.String()), 0o600); err != nil {
		f.Fatal(err)
	}
	var good bytes.Buffer
	w, err := (&To{[]age.Recipient{id.Recipient()}}).Seal(&good)
	if err != nil {
		f.Fatal(err)
	}
	_, _ = io.WriteString(w, "short")
	_ = w.Close()
	f.Add(good.Bytes())
	f.Add([]byte(armorHead + "\nYWdl\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Open("f", bytes.NewReader(b), Keys{Files: []string{file}, Passphrase: said("")})
		if err != nil {
			return
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "short" {
			t.Errorf("%q, %v", got, err)
		}
	})
}
