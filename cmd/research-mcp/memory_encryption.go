package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/sealed"
	"github.com/research-mcp/research-mcp/memory"
)

// sealing are the flags that say how a file is encrypted.
type sealing struct {
	encrypt        bool
	passphraseFile string
	recipients     []string
	recipientFiles []string
}

func (s *sealing) flags(f *pflag.FlagSet) {
	f.BoolVar(&s.encrypt, "encrypt", false, "encrypt the file with age: to the recipients, or with a passphrase")
	f.StringArrayVar(&s.recipients, "recipient", nil, "encrypt to this key: age1… or an SSH public key (repeatable)")
	f.StringArrayVar(&s.recipientFiles, "recipients-file", nil, "encrypt to the keys in this file, one a line (repeatable)")
	f.StringVar(&s.passphraseFile, "passphrase-file", "", "take the passphrase from the first line of this file (else from "+config.PassphraseEnv+", or it is asked for)")
}

// seal returns how the file is encrypted; nil: it is not.
func (c *console) seal(ctx context.Context, s sealing) (memory.Seal, error) {
	to, err := c.readers(ctx, s)
	if to == nil || err != nil {
		return nil, err
	}
	return func(w io.Writer) (memory.Sealing, error) { return to.Seal(w) }, nil
}

func (c *console) readers(ctx context.Context, s sealing) (*sealed.To, error) {
	byKey := len(s.recipients)+len(s.recipientFiles) > 0
	switch {
	case byKey && s.passphraseFile != "":
		return nil, evidence.BadInput("a file is encrypted with a passphrase or to recipients, not both", "leave out --passphrase-file or the recipients")
	case byKey:
		return sealed.Recipients(s.recipients, s.recipientFiles)
	case !s.encrypt && s.passphraseFile == "":
		return nil, nil
	}
	p, err := c.passphrase(ctx, s.passphraseFile, true)
	if err != nil {
		return nil, err
	}
	return sealed.Passphrase(p)
}

// maxPassphrase bounds a passphrase, in bytes.
const maxPassphrase = 4096

// passphrase comes from the file, the environment or the terminal, where a new one is
// asked for twice.
func (c *console) passphrase(ctx context.Context, file string, fresh bool) (string, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return "", &evidence.Problem{What: fmt.Sprintf("the passphrase file cannot be read: %v", err), Try: "name a file with the passphrase on its first line", Usage: true, Cause: err}
		}
		defer f.Close()
		line, err := readLine(bufio.NewReader(f), maxPassphrase)
		if err != nil && !errors.Is(err, io.EOF) || line.size > maxPassphrase {
			return "", evidence.BadInput(fmt.Sprintf("the first line of %s cannot be a passphrase", file), "write the passphrase alone on its first line")
		}
		return strings.TrimSuffix(line.text, "\r"), nil
	}
	for _, kv := range c.environ {
		if value, ok := strings.CutPrefix(kv, config.PassphraseEnv+"="); ok && value != "" {
			return value, nil
		}
	}
	p, err := c.askSecret(ctx, "Passphrase: ")
	if err != nil || !fresh {
		return p, err
	}
	again, err := c.askSecret(ctx, "The same again: ")
	if err == nil && again != p {
		err = evidence.BadInput("the two passphrases differ; nothing was written", "try again")
	}
	return p, err
}

// askSecret reads a line from the terminal without showing it. The terminal is as it was
// when ctx ends.
func (c *console) askSecret(ctx context.Context, prompt string) (string, error) {
	in, ok := c.in.(*os.File)
	if !ok || !c.typed {
		return "", evidence.BadInput("there is no terminal to ask for the passphrase", "put it into a file for --passphrase-file, or into "+config.PassphraseEnv)
	}
	fd := int(in.Fd()) //nolint:gosec // a descriptor is small
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking for the passphrase: %w", err)
	}
	fmt.Fprint(c.err, prompt)
	type answer struct {
		line []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() { // a Read of a terminal cannot be cancelled: it ends with the program
		line, err := term.ReadPassword(fd)
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		fmt.Fprintln(c.err)
		if errors.Is(a.err, io.EOF) {
			return "", evidence.BadInput("no passphrase was given", "try again")
		}
		return string(a.line), a.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}

// opening are the flags that say how an encrypted file is opened.
type opening struct {
	identities     []string
	passphraseFile string
}

func (o *opening) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.identities, "identity", nil, "open an encrypted file with the private key in this file, of age or SSH (repeatable)")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "take the passphrase of an encrypted file from the first line of this file (else from "+config.PassphraseEnv+", or it is asked for)")
}

// opened is a file as it was before it was encrypted, if it was. Close it.
type opened struct {
	io.Reader
	sealed bool
	close  func() error
}

// openFile opens a file that may be encrypted; "-" is standard input. What is encrypted
// is verified as a whole first.
func (c *console) openFile(ctx context.Context, path string, o opening) (*opened, error) {
	if path == "-" {
		return c.openStream(ctx, "the encrypted input", io.NopCloser(c.in), o)
	}
	f, err := library.OpenExport(path)
	if err != nil {
		return nil, err
	}
	if !regular(f) { // a pipe
		return c.openStream(ctx, path, f, o)
	}
	isSealed := sealed.IsSealed(bufio.NewReader(f))
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), f.Close())
	}
	if !isSealed {
		return &opened{Reader: f, close: f.Close}, nil
	}
	return c.unseal(ctx, path, f, o)
}

// openStream is openFile of what can be read only once.
func (c *console) openStream(ctx context.Context, name string, in io.ReadCloser, o opening) (*opened, error) {
	stream, done := interruptible(ctx, in)
	plain := bufio.NewReader(stream)
	if !sealed.IsSealed(plain) {
		return &opened{Reader: plain, close: func() error { done(); return in.Close() }}, nil
	}
	f, err := spool(plain)
	done()
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	return c.unseal(ctx, name, f, o)
}

func (c *console) unseal(ctx context.Context, name string, f *os.File, o opening) (*opened, error) {
	keys := sealed.Keys{Files: o.identities, Passphrase: func() (string, error) { return c.passphrase(ctx, o.passphraseFile, false) }}
	plain, err := sealed.Open(name, f, keys)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &opened{Reader: plain, sealed: true, close: f.Close}, nil
}

func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// spool keeps an encrypted stream in a temporary file, still encrypted, so that it can be
// verified before it is read.
func spool(r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "research-mcp-encrypted-*") // 0600
	if err != nil {
		return nil, fmt.Errorf("keeping the encrypted input: %w", err)
	}
	_ = os.Remove(f.Name()) // it goes when it is closed; Windows keeps it
	if _, err := io.Copy(f, r); err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the encrypted input: %w", err), f.Close())
	}
	return f, nil
}
