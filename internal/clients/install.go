package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/newfile"
)

// maxConfig is the largest configuration that is read: Claude Code keeps the history of
// its projects in the same file.
const maxConfig = 64 << 20

// Change is what was done to a configuration, or what would be done.
type Change struct {
	Client  string `json:"client"`
	File    string `json:"file"`
	Changed bool   `json:"changed"` // false: it is as wanted already
	Backup  string `json:"backup"`  // the previous file; empty if there was none
	DryRun  bool   `json:"dry_run"`
	Had     bool   `json:"-"` // the server was in it before
	HadURL  string `json:"-"` // at this address
	After   string `json:"-"` // the content of the file afterwards
}

// Install adds the server to the client's configuration, or corrects how it is reached
// there. Other servers, settings and comments stay. With dryRun nothing is written.
func Install(c Client, s System, server Server, dryRun bool, now time.Time) (Change, error) {
	return edit(c, s, dryRun, now, func(config []byte) ([]byte, error) {
		return c.set(config, server)
	})
}

// Uninstall removes the server from the client's configuration.
func Uninstall(c Client, s System, dryRun bool, now time.Time) (Change, error) {
	return edit(c, s, dryRun, now, c.unset)
}

func edit(c Client, s System, dryRun bool, now time.Time, change func([]byte) ([]byte, error)) (Change, error) {
	file := c.File(s)
	out := Change{Client: c.Name, File: file, DryRun: dryRun}
	before, had, _, _ := Configured(c, s) // what cannot be read is reported below
	out.Had, out.HadURL = had, before.URL
	config, err := readConfig(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, unreadable(c, file, err)
	}
	after, err := change(config)
	if err != nil {
		return out, unreadable(c, file, err)
	}
	out.After, out.Changed = string(after), !bytes.Equal(config, after)
	if !out.Changed || dryRun {
		return out, nil
	}
	out.Backup, err = replaceFrom(file, config, after, now)
	switch {
	case errors.Is(err, errMeanwhile):
		return out, &evidence.Problem{What: fmt.Sprintf("the configuration of %s, %s, was changed by another program meanwhile, and was not changed here", c.Title, file), Try: "run the command again", Cause: err}
	case err != nil:
		return out, unwritable(c, file, err)
	}
	return out, nil
}

// errMeanwhile reports that a file is not as it was when it was read.
var errMeanwhile = errors.New("another program has changed it meanwhile; try again")

// ownEntry returns our server as it stands in a configuration, or nil.
func (c Client) ownEntry(config []byte) (map[string]any, error) {
	decode := decodeJSON
	if c.format == tomlFile {
		decode = decodeTOML
	}
	all, err := decode(config)
	if err != nil {
		return nil, err
	}
	servers, _ := all[c.servers].(map[string]any)
	entry, _ := servers[ServerName].(map[string]any)
	return entry, nil
}

// Replace writes a configuration in one step, and returns where the one before is kept;
// empty if there was none.
func Replace(file string, content []byte, now time.Time) (kept string, err error) {
	before, err := readConfig(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return replaceFrom(file, before, content, now)
}

// replaceFrom is Replace of a file whose content was before; nil if there was none. It
// returns errMeanwhile if that has changed.
func replaceFrom(file string, before, content []byte, now time.Time) (kept string, err error) {
	if before != nil {
		if kept, err = backup(file, before, now); err != nil {
			return "", err
		}
	}
	if err = replace(file, before, content); err != nil && kept != "" {
		err = errors.Join(err, os.Remove(kept)) // nothing was replaced
	}
	return kept, err
}

// Configured returns the server as it stands in the client's configuration, whether it
// stands there, and whether there is a configuration at all.
func Configured(c Client, s System) (server Server, found, exists bool, err error) {
	file := c.File(s)
	config, err := readConfig(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Server{}, false, false, nil
	}
	var entry map[string]any
	if err == nil {
		entry, err = c.ownEntry(config)
	}
	if err != nil {
		return Server{}, false, true, unreadable(c, file, err)
	}
	if entry == nil {
		return Server{}, false, true, nil
	}
	return c.readEntry(s, entry), true, true, nil
}

// readEntry reads a server in any of the forms.
func (c Client) readEntry(s System, entry map[string]any) Server {
	if at := addressIn(entry); at != "" {
		return c.readRemote(s, at, entry)
	}
	out := Server{Env: map[string]string{}}
	switch command := entry["command"].(type) {
	case string:
		out.Command = command
	case []any: // opencode
		for i, word := range command {
			if i == 0 {
				out.Command = fmt.Sprint(word)
				continue
			}
			out.Args = append(out.Args, fmt.Sprint(word))
		}
	}
	args, _ := entry["args"].([]any)
	for _, a := range args {
		out.Args = append(out.Args, fmt.Sprint(a))
	}
	for _, key := range []string{"env", "environment"} {
		env, _ := entry[key].(map[string]any)
		for name, value := range env {
			out.Env[name] = fmt.Sprint(value)
		}
	}
	return out
}

func readConfig(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if target, link := os.Readlink(file); link == nil && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("it is a symbolic link to %s, which does not exist", target)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	if info.Size() > maxConfig {
		return nil, fmt.Errorf("it has %d bytes", info.Size())
	}
	return os.ReadFile(file)
}

// backup writes a copy beside the file, under a name that is not taken.
func backup(file string, content []byte, now time.Time) (string, error) {
	base := file + ".backup-" + now.Format("20060102-150405")
	for i := 1; ; i++ {
		name := base
		if i > 1 {
			name = fmt.Sprintf("%s-%d", base, i)
		}
		err := write(file, content, func(temp string) error { return newfile.Publish(temp, name) })
		if !errors.Is(err, fs.ErrExist) || i == 100 {
			return name, err
		}
	}
}

// replace writes a file in one step, if it is still as before; nil: if there is none. A
// symbolic link stays one.
func replace(file string, before, content []byte) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return write(file, content, func(temp string) error {
		is, err := readConfig(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && before == nil:
			return newfile.Publish(temp, file)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case err != nil || before == nil || !bytes.Equal(is, before):
			return errMeanwhile
		}
		return os.Rename(temp, file)
	})
}

// write writes a temporary file beside file, with its permissions and its owner, and gives
// it its name. The owner of a new file is that of its folder, also if root runs this.
func write(file string, content []byte, name func(temp string) error) error {
	mode := fs.FileMode(0o600) // it may hold keys of other servers
	owned, err := os.Stat(file)
	if err == nil {
		mode = owned.Mode().Perm()
	} else if owned, err = os.Stat(filepath.Dir(file)); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".research-mcp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, own(f, owned), f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return name(f.Name())
}

func unreadable(c Client, file string, err error) error {
	return evidence.BadInput(fmt.Sprintf("the configuration of %s, %s, cannot be edited and was not changed: %v", c.Title, file, err),
		fmt.Sprintf("repair it, or add the server by hand: `research-mcp install print` shows how for %s", c.Title))
}

func unwritable(c Client, file string, err error) error {
	return &evidence.Problem{What: fmt.Sprintf("the configuration of %s, %s, cannot be written: %v", c.Title, file, err),
		Try: "look at the permissions of its folder, or add the server by hand: `research-mcp install print` shows how", Cause: err}
}
