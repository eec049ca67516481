// Package toy is a memory in the RAM of one process. It is the example of
// docs/adding-a-backend.md: a test adds it to the program and runs the contract
// suite on it.
package toy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// servers stand for the server that a real backend connects to: memories of the
// same name share their data.
var servers = struct {
	sync.Mutex
	byName map[string]*data
}{byName: map[string]*data{}}

// data is what one memory holds.
type data struct {
	mu       sync.Mutex
	docs     map[string]*entry
	models   []evidence.Model // the first is the active one
	sessions map[string]*conversation
	runs     map[string]evidence.Answer
	log      []contract.Change
	ids      int // numbers given to documents, sessions and runs
	folds    int64
}

// entry is a stored document.
type entry struct {
	doc     evidence.Document
	key     string
	hash    string
	own     bool            // it was put outside of sessions
	links   map[string]bool // sessions; true: the session put the document
	chunks  []piece
	vectors map[string][][]float32 // by model key, one a chunk
}

type piece struct {
	start, end int
	terms      []string
	simhash    uint64
}

// Memory is a connection to the data. It is safe for concurrent use.
type Memory struct {
	*data
	cfg    contract.Config
	closed bool // guarded by data.mu
}

// Open opens the memory that URL and Dir name.
func Open(ctx context.Context, cfg contract.Config) (*Memory, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxText == 0 {
		cfg.MaxText = contract.DefaultMaxText
	}
	servers.Lock()
	defer servers.Unlock()
	name := cfg.URL + "\n" + cfg.Dir
	if servers.byName[name] == nil {
		servers.byName[name] = &data{docs: map[string]*entry{}, sessions: map[string]*conversation{}, runs: map[string]evidence.Answer{}}
	}
	return &Memory{data: servers.byName[name], cfg: cfg}, ctx.Err()
}

// Backend returns the registered name.
func (m *Memory) Backend() string { return "toy" }

// Close implements contract.Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// lock begins a call; its result ends it.
func (m *Memory) lock(ctx context.Context) (unlock func(), err error) {
	m.mu.Lock()
	if m.closed {
		err = errors.New("the memory is closed")
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		m.mu.Unlock()
		return nil, err
	}
	return m.mu.Unlock, nil
}

// Put implements contract.Store.
func (m *Memory) Put(ctx context.Context, doc evidence.Document, chunks evidence.Chunks) (evidence.Receipt, error) {
	unlock, err := m.lock(ctx)
	if err != nil {
		return evidence.Receipt{}, err
	}
	defer unlock()
	r := evidence.Receipt{DocumentID: doc.ID}
	if err := intake.CheckModel(chunks.Model); err != nil {
		return evidence.Receipt{}, err
	}
	e, err := m.prepare(doc, chunks.Items, &r)
	if err != nil {
		return evidence.Receipt{}, err
	}
	session, changed := doc.Meta[evidence.MetaSession], true
	old := m.docs[doc.ID]
	if old != nil && old.hash == e.hash {
		r.Deduplicated, changed = true, false
		if doc.Retrieved.After(old.doc.Retrieved) {
			old.doc.Retrieved = doc.Retrieved
		}
		old.doc.Tags = union(old.doc.Tags, e.doc.Tags)
		e = old
	} else {
		r.Documents = 1
		if old != nil {
			e.key, e.own, e.links = old.key, old.own, old.links
		} else {
			m.ids++
			e.key = strconv.Itoa(m.ids)
		}
		m.docs[doc.ID] = e
	}
	r.Chunks = len(e.chunks)
	if session == "" {
		e.own = true
	} else {
		e.links[session] = true
	}
	if m.addVectors(e, chunks, &r) || changed {
		m.log = append(m.log, contract.Change{Key: e.key, ID: doc.ID})
	}
	return r, nil
}

// prepare checks and copies a document.
func (m *Memory) prepare(doc evidence.Document, items []evidence.Chunk, r *evidence.Receipt) (*entry, error) {
	if doc.ID == "" {
		return nil, evidence.BadInput("a document without an id cannot be stored", "give it an id")
	}
	if len(doc.ID) > contract.MaxID {
		return nil, evidence.BadInput(fmt.Sprintf("an id has %d bytes; the limit is %d", len(doc.ID), contract.MaxID), "give a shorter one")
	}
	for what, name := range map[string]string{"the source": doc.Source, "the session": doc.Meta[evidence.MetaSession]} {
		if err := intake.CheckName(what+" of a document", name); err != nil {
			return nil, err
		}
	}
	if len(doc.Text) > m.cfg.MaxText {
		return nil, evidence.BadInput(fmt.Sprintf("the text of %q has %d bytes; the limit is %d", doc.ID, len(doc.Text), m.cfg.MaxText), "split it")
	}
	if clean := clean(doc.Text); clean != doc.Text {
		doc.Text = clean
		r.Warnings = append(r.Warnings, "the text was not valid UTF-8")
	}
	doc.Title, _ = text.Cut(doc.Title, contract.MaxTitle)
	doc.Tags, doc.Meta = union(nil, doc.Tags), maps.Clone(doc.Meta)
	delete(doc.Meta, evidence.MetaSession)
	if doc.Retrieved.IsZero() {
		doc.Retrieved = m.cfg.Now()
	}
	e := &entry{doc: doc, hash: evidence.ContentHash(doc.Title, doc.Text), links: map[string]bool{}, vectors: map[string][][]float32{}}
	if len(items) == 0 {
		items = []evidence.Chunk{{End: len(doc.Text)}}
	}
	head, _ := text.Cut(doc.Title, 300)
	if doc.Meta[evidence.MetaKind] == evidence.KindTurn {
		head += doc.Published.Format(" 2 January 2006")
	}
	for i, c := range items {
		if c.Start < 0 || c.End < c.Start || c.End > len(doc.Text) || !onRune(doc.Text, c.Start) || !onRune(doc.Text, c.End) {
			return nil, evidence.BadInput(fmt.Sprintf("chunk %d is not a piece of the text", i), "cut the stored text, on rune boundaries")
		}
		body := doc.Text[c.Start:c.End]
		p := piece{start: c.Start, end: c.End, terms: allTerms(head + "\n" + body)}
		if len(strings.Fields(body)) >= 12 {
			p.simhash = text.SimHash(body)
		}
		e.chunks = append(e.chunks, p)
	}
	return e, nil
}

func onRune(s string, i int) bool { return i == len(s) || utf8.RuneStart(s[i]) }

// clean replaces invalid bytes one by one, so that offsets stay true.
func clean(s string) string {
	b := []byte(s)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 || r == 0 {
			b[i] = '?'
		}
		i += n
	}
	return string(b)
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	for i, tag := range out {
		out[i] = intake.Tag(tag)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Document implements contract.Store.
func (m *Memory) Document(ctx context.Context, id string) (evidence.Document, bool, error) {
	unlock, err := m.lock(ctx)
	if err != nil {
		return evidence.Document{}, false, err
	}
	defer unlock()
	e := m.docs[id]
	if e == nil {
		return evidence.Document{}, false, nil
	}
	return e.copy(), true, nil
}

func (e *entry) copy() evidence.Document {
	d := e.doc
	d.Tags, d.Meta = slices.Clone(d.Tags), maps.Clone(d.Meta)
	return d
}

// Changes implements contract.ChangeFeed.
func (m *Memory) Changes(ctx context.Context, since contract.Position) (contract.Changes, error) {
	out := contract.Changes{Documents: []contract.Change{}}
	unlock, err := m.lock(ctx)
	if err != nil {
		return out, err
	}
	defer unlock()
	out.Next = contract.Position(strconv.Itoa(len(m.log)))
	if since == "" {
		return out, nil
	}
	from, err := strconv.Atoi(string(since))
	if err != nil || from < 0 {
		return out, evidence.BadInput(fmt.Sprintf("%q is no position", string(since)), "use the position of an earlier call")
	}
	if out.Reset = from > len(m.log); out.Reset {
		return out, nil
	}
	seen := map[string]bool{}
	for _, c := range slices.Backward(m.log[from:]) {
		if seen[c.Key] {
			continue
		}
		seen[c.Key] = true
		out.Documents = append(out.Documents, c)
	}
	slices.Reverse(out.Documents)
	return out, nil
}

// Stats implements contract.Describer.
func (m *Memory) Stats(ctx context.Context) (contract.Stats, error) {
	s := contract.Stats{Backend: m.Backend(), BySource: map[string]int{}, Models: []contract.ModelStats{}, Index: evidence.IndexReady, Warnings: []string{}}
	unlock, err := m.lock(ctx)
	if err != nil {
		return s, err
	}
	defer unlock()
	s.Documents, s.Sessions, s.Runs = len(m.docs), len(m.sessions), len(m.runs)
	for i, model := range m.models {
		s.Models = append(s.Models, contract.ModelStats{Name: model.Name, Revision: model.Revision, Kind: model.Kind, Dims: model.Dims, Active: i == 0})
		s.Embedder = contract.ModelText(m.models[0])
	}
	for _, e := range m.docs {
		s.BySource[e.doc.Source]++
		s.Chunks += len(e.chunks)
		s.TextBytes += int64(len(e.doc.Text))
		for i, model := range m.models {
			if e.vectors[model.Key()] != nil {
				s.Models[i].Documents++
			}
		}
	}
	s.Bytes = s.TextBytes
	for _, c := range m.sessions {
		s.Turns += len(c.turns)
	}
	return s, nil
}
