package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// Recorded is a question that was recorded.
type Recorded struct {
	Answer   evidence.Answer
	Requests int // in the file; -1: it was not written
}

// filesSource reads this machine's disk: what it finds is no exchange, and
// nobody wants the notes of a person in a file that is shown around.
const filesSource = "files"

// Record answers a question as Research does, in an empty memory of its own that
// is removed afterwards, and writes every exchange into a new HAR file, without
// secrets. The file is written too when the question fails, or is interrupted,
// after something was asked. A file that cannot be made is an error before
// anything is.
func Record(ctx context.Context, cfg *config.Config, o Options, file string, req Request, observe func(Event)) (out Recorded, err error) {
	out.Requests = -1
	if err := noSession(req); err != nil {
		return out, err
	}
	page, err := newSheet(file)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, page.discard()) }()
	dir, err := os.MkdirTemp("", "research-mcp-record-")
	if err != nil {
		return out, fmt.Errorf("making a folder for the question's memory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	if o.now == nil {
		o.now = time.Now
	}
	own, left := withoutDisk(cfg, dir)
	if left != "" && slices.Contains(req.Sources, filesSource) {
		return out, evidence.BadInput("the source files reads this machine's disk, which is not recorded", "name other sources, or none")
	}
	s := &recordingStage{recorder: fetch.NewRecorder("research-mcp", version, o.now), note: noteOf(own, req, o.now())}
	if left != "" {
		s.note.Warnings = append(s.note.Warnings, left)
	}
	o.stage = s
	a, err := New(ctx, own, o)
	if err != nil {
		return out, err
	}
	out.Answer, err = a.Research(ctx, req, func(e Event) {
		s.heard(e)
		if observe != nil {
			observe(e)
		}
	})
	if err == nil {
		out.Answer.Warnings = append(out.Answer.Warnings, s.note.Warnings...)
	}
	har, n, made := s.har(out.Answer, cfg) // before Close: what is under way is shown as that
	err = errors.Join(err, a.Close(), made)
	if made != nil || n == 0 && err != nil { // a question that was refused leaves its file's name free
		return out, err
	}
	if failed := page.write(har); failed != nil {
		return out, errors.Join(err, failed)
	}
	out.Requests = n
	return out, err
}

// har is the file, and how many exchanges are in it.
func (s *recordingStage) har(answer evidence.Answer, cfg *config.Config) ([]byte, int, error) {
	s.mu.Lock()
	s.note.Answered, s.note.Topics = answer.RunID != "", answer.Topics
	text, err := json.Marshal(s.note)
	s.mu.Unlock()
	if err != nil {
		return nil, 0, fmt.Errorf("describing the question: %w", err)
	}
	s.recorder.SetNote(text)
	har, err := s.recorder.HAR()
	if err != nil {
		return nil, 0, err
	}
	var count struct {
		Log struct{ Entries []struct{} }
	}
	if err := json.Unmarshal(har, &count); err != nil {
		return nil, 0, fmt.Errorf("reading the recording: %w", err)
	}
	return blackened(har, secretsOf(cfg)), len(count.Log.Entries), nil
}

// noSession refuses what leans on the user's memory.
func noSession(req Request) error {
	if req.Session == "" {
		return nil
	}
	return evidence.BadInput("a session cannot be recorded or replayed: such a question is asked in an empty memory of its own, so that the file holds nothing of yours",
		"leave --session out, or leave --record and --replay out")
}

// withoutDisk are the settings for a recording, and what they leave out.
func withoutDisk(cfg *config.Config, dir string) (*config.Config, string) {
	own := *cfg
	own.DataDir, own.Sources = dir, maps.Clone(cfg.Sources)
	left := ""
	if s := own.Sources[filesSource]; s.Enabled {
		if s.Text("dir") != "" {
			left = "the source files was not asked: what is on this machine's disk is not recorded"
		}
		s.Enabled = false
		own.Sources[filesSource] = s
	}
	return &own, left
}

// noteOf describes a question before it is asked.
func noteOf(cfg *config.Config, req Request, now time.Time) note {
	n := note{Format: noteFormat, Question: req.Question, Asked: now.UTC(), Sources: req.Sources, Depth: req.Depth, Budget: req.Budget,
		MaxTokens: req.MaxTokens, Language: req.Language, Settings: map[string]string{}, Secrets: []string{}, Fence: newID("b_")}
	for _, s := range cfg.Settings() {
		if isTold(s.Key) {
			n.Settings[s.Key] = s.Value
		}
	}
	for name, d := range SourceDefaults() {
		s, prefix := cfg.Sources[name], "sources."+name+"."
		n.Settings[prefix+"enabled"], n.Settings[prefix+"url"] = fmt.Sprint(s.Enabled), cleanURLs(s.URL)
		for _, o := range d.Options {
			value := s.Text(o.Name)
			delete(n.Settings, prefix+o.Name)
			switch {
			case o.Secret && value != "":
				n.Secrets = append(n.Secrets, prefix+o.Name)
			case !o.Secret && name != filesSource:
				n.Settings[prefix+o.Name] = cleanURLs(value)
			}
		}
	}
	slices.Sort(n.Secrets)
	if cfg.Contact != "" {
		n.Secrets = append(n.Secrets, "contact")
		if isMail(cfg.Contact) {
			n.Secrets = append(n.Secrets, "contact as mail")
		}
	}
	return n
}

// isTold reports whether a setting changes an answer and is nobody's secret.
func isTold(key string) bool {
	switch {
	case key == "data_dir", key == "log_level", key == "contact", key == "ollama.proxy", strings.HasPrefix(key, "cache."), strings.HasPrefix(key, "memory."):
		return false
	}
	return true
}

func isMail(contact string) bool {
	_, err := mail.ParseAddress(strings.TrimPrefix(contact, "mailto:"))
	return err == nil
}

// cleanURLs takes secrets out of the addresses in a setting.
func cleanURLs(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	parts := fieldsOf(value)
	for i, p := range parts {
		if strings.Contains(p, "://") {
			parts[i] = fetch.RedactURL(p)
		}
	}
	return strings.Join(parts, ",")
}

// fieldsOf are the items of a setting that is a list.
func fieldsOf(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// secretsOf are the values that must not be in a file that is shown to others.
func secretsOf(cfg *config.Config) []string {
	var out []string
	for name, d := range SourceDefaults() {
		for _, o := range d.Options {
			value := strings.TrimSpace(cfg.Sources[name].Text(o.Name))
			if o.Secret && value != "" {
				out = append(out, value)
			}
			for _, address := range fieldsOf(value) {
				out = append(out, fetch.URLSecrets(address)...)
			}
		}
	}
	if a, err := mail.ParseAddress(strings.TrimPrefix(cfg.Contact, "mailto:")); err == nil {
		out = append(out, a.Address)
	}
	return out
}

// leastSecret is the shortest secret that is looked for in answers: a shorter
// one would be found in any word.
const leastSecret = 6

// blackened takes secrets out of answers that echo them: requests have none.
func blackened(har []byte, secrets []string) []byte {
	for _, s := range secrets {
		if len(s) < leastSecret {
			continue
		}
		spellings := []string{s, url.QueryEscape(s), url.PathEscape(s)}
		if quoted, err := json.Marshal(s); err == nil {
			spellings = append(spellings, strings.Trim(string(quoted), `"`))
		}
		for _, spelling := range spellings {
			har = bytes.ReplaceAll(har, []byte(spelling), []byte("REMOVED"))
		}
	}
	return har
}

// sheet is a file that appears whole, under its name, or not at all.
type sheet struct {
	temp *os.File
	file string
}

// newSheet makes sure that file can be made before there is anything to write.
func newSheet(file string) (*sheet, error) {
	if file == "" {
		return nil, evidence.BadInput("--record names no file", "name a new one, as in --record run.har")
	}
	if err := isFree(file); err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // of mode 0600
	if err != nil {
		return nil, evidence.BadInput(fmt.Sprintf("the recording cannot be written to %s: %v", file, cause(err)), "name a file in a folder that is there and that you may write to")
	}
	return &sheet{temp: temp, file: file}, nil
}

func isFree(file string) error {
	switch _, err := os.Lstat(file); {
	case err == nil:
		return taken(file)
	case !errors.Is(err, fs.ErrNotExist):
		return evidence.BadInput(fmt.Sprintf("the recording cannot be written to %s: %v", file, cause(err)), "name a file in a folder that is there and that you may write to")
	}
	return nil
}

func taken(file string) error {
	return evidence.BadInput(fmt.Sprintf("%s is there already, and a recording overwrites nothing", file), "name another file, or delete this one first")
}

// cause is a file error without the path.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (p *sheet) write(text []byte) error {
	_, err := p.temp.Write(text)
	err = errors.Join(err, p.temp.Sync(), p.temp.Close())
	name := p.temp.Name()
	p.temp = nil
	if err == nil {
		err = publish(name, p.file)
	}
	if err != nil {
		err = fmt.Errorf("writing the recording %s: %w", p.file, err)
	}
	return errors.Join(err, os.Remove(name))
}

// publish gives the content of temp the name file. It fails, and changes
// nothing, when file exists, even if it was created a moment ago: a link, unlike
// a rename, never replaces a file.
func publish(temp, file string) error {
	err := os.Link(temp, file)
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		return taken(file)
	}
	return copyNew(temp, file) // a file system without hard links
}

// copyNew copies temp to file, which must not exist.
func copyNew(temp, file string) error {
	text, err := os.ReadFile(temp)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return taken(file)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// discard removes what was not written.
func (p *sheet) discard() error {
	if p.temp == nil {
		return nil
	}
	return errors.Join(p.temp.Close(), os.Remove(p.temp.Name()))
}
