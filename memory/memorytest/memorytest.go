// Package memorytest is the contract of a memory as a test suite that every
// backend runs: the required ring always, and the suite of each capability that
// the backend declares. What is not run is reported as skipped, with "not run".
package memorytest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Backend is what the suite knows of the backend under test.
type Backend struct {
	// Open opens a memory. Config.Dir names it: an empty folder at first, and the
	// suite opens the same one several times, also at once. A backend that stores
	// its data elsewhere uses it as the name of a database. Keep and Now are set
	// where a test needs them.
	Open func(ctx context.Context, cfg contract.Config) (contract.Memory, error)
	// OpenLarge opens a memory that searches as it does when it is large, so that small
	// tests see it. nil: Open does.
	OpenLarge func(ctx context.Context, cfg contract.Config) (contract.Memory, error)
	// Leftovers returns the places in which the stored bytes of the memory named
	// dir hold marker. Leave it nil if the bytes cannot be read.
	Leftovers func(t *testing.T, dir, marker string) []string
	// Restore makes the backup at path the memory named dir, which does not exist
	// yet, as a user would. A backend that declares backup needs it.
	Restore func(t *testing.T, path, dir string)
	// Damage are ways to make the stored data of the memory named dir, which is
	// open, disagree, by the name of what is damaged. A backend that declares check
	// needs at least one.
	Damage map[string]func(t *testing.T, dir string)
}

// test is one test of the suite.
type test struct {
	name string
	run  func(*testing.T)
}

// Run runs the suite. A capability that the backend does not declare is reported
// as not run.
func Run(t *testing.T, b Backend) {
	t.Helper()
	s := suite{b}
	runAll(t, s.required())
	declared := contract.Capabilities(s.start(t))
	optional := s.optional()
	for _, c := range contract.AllCapabilities() {
		t.Run(string(c), func(t *testing.T) {
			t.Parallel()
			if !slices.Contains(declared, c) {
				t.Skipf("not run: the backend does not declare %q", c)
			}
			runAll(t, optional[c])
		})
	}
	t.Run("stored bytes", func(t *testing.T) {
		t.Parallel()
		if b.Leftovers == nil {
			t.Skip("not run: the suite cannot read the backend's stored bytes")
		}
		runAll(t, []test{{"ForgetLeavesNoBytes", s.forgetBytes}, {"ForgetSessionLeavesNoBytes", s.forgetSessionBytes}})
	})
}

func runAll(t *testing.T, tests []test) {
	t.Helper()
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (s suite) required() []test {
	return []test{
		{"PutAndGet", s.putAndGet},
		{"PutAgain", s.putAgain},
		{"PutReplaces", s.putReplaces},
		{"PutRefuses", s.putRefuses},
		{"PutCleans", s.putCleans},
		{"LongTitle", s.longTitle},
		{"PutBadVectors", s.putBadVectors},
		{"CallersMapChangedAfterwards", s.callersMap},
		{"Reopen", s.reopen},
		{"TwoHandles", s.twoHandles},
		{"CancelledContext", s.cancelled},
		{"Recall", s.recall},
		{"RecallModes", s.recallModes},
		{"RecallFilters", s.recallFilters},
		{"RecallUnderFilters", s.recallUnderFilters},
		{"RecallByCommonWords", s.commonWords},
		{"RecallBadInput", s.recallBadInput},
		{"LongTags", s.longTags},
		{"KOverCount", s.kOverCount},
		{"EmptyMemory", s.empty},
		{"OtherModelIsRefusedByName", s.otherModel},
		{"PartlyEmbedded", s.partlyEmbedded},
		{"HashCollisions", s.collisions},
		{"LargeDocument", s.large},
		{"NonLatin", s.nonLatin},
		{"StopWords", s.stopWords},
		{"NearDuplicatesFold", s.nearDuplicates},
		{"Turns", s.turns},
		{"Sessions", s.sessions},
		{"Fold", s.fold},
		{"Runs", s.runs},
		{"ForgetSelects", s.forgetSelects},
		{"ForgetRefuses", s.forgetRefuses},
		{"ForgetCountsEachSelector", s.forgetCounts},
		{"ForgetAsksForAThird", s.forgetAsks},
		{"ForgetTraces", s.forgetTraces},
		{"ForgetSession", s.forgetSession},
		{"ForgetSessionAfterReplacement", s.forgetReplaced},
		{"Changes", s.changes},
		{"ChangesByOthers", s.changesByOthers},
		{"ChangesBadPosition", s.changesBadPosition},
		{"LongNames", s.longNames},
		{"TimesAndZeroBytes", s.timesAndZeroBytes},
		{"OneAnswerOfARun", s.oneAnswer},
		{"Stats", s.stats},
		{"Close", s.close},
	}
}

func (s suite) optional() map[contract.Capability][]test {
	return map[contract.Capability][]test{
		contract.CapBackup: {{"Backup", s.backup}, {"BackupRefuses", s.backupRefuses}},
		contract.CapCheck:  {{"Check", s.check}, {"CheckFindsDamage", s.checkFindsDamage}},
		contract.CapClaims: {{"Claims", s.claims}, {"EndWithTheAnswer", s.claimsEndWithTheAnswer}, {"OutliveTheirMemory", s.claimsOutliveTheirMemory},
			{"Expire", s.claimsExpire}, {"AreForgotten", s.claimsAreForgotten}},
		contract.CapErasure:   {{"ProveErased", s.proveErased}},
		contract.CapExport:    {{"ExportImport", s.exportImport}, {"ExportWithoutVectors", s.exportWithoutVectors}, {"ExportLongTitle", s.exportLongTitle}, {"ImportBadInput", s.importBadInput}},
		contract.CapLists:     {{"ListDocuments", s.listDocuments}, {"ListSessionsAndRuns", s.listSessionsAndRuns}},
		contract.CapReindex:   {{"Reindex", s.reindex}, {"ReindexBadInput", s.reindexBadInput}},
		contract.CapRetention: {{"Retain", s.retain}},
		contract.CapVectors: {{"FillVectors", s.fillVectors}, {"FillOneAtATime", s.fillOneAtATime}, {"FillAndForget", s.fillAndForget}, {"AddVectors", s.addVectors},
			{"RecallWithoutVectors", s.recallWithoutVectors}, {"FillBadInput", s.fillBadInput}},
	}
}

type suite struct{ Backend }

// as returns m as an optional interface that its backend declares.
func as[T any](t *testing.T, m contract.Memory) T {
	t.Helper()
	out, err := contract.Require[T](m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Model is the vector space of the suite.
func Model() evidence.Model {
	return evidence.Model{Name: "suite", Revision: "1", Dims: 32, Kind: evidence.KindLexical}
}

// Embed is a small deterministic embedder: hashed words.
func Embed(s string) []float32 { return embed(s, 32) }

func embed(s string, dims int) []float32 {
	v := make([]float32, dims)
	for _, w := range strings.Fields(strings.ToLower(s)) {
		h := fnv.New64a()
		h.Write([]byte(strings.Trim(w, ".,?!")))
		sum := h.Sum64()
		v[sum%uint64(dims)] += float32(int(sum>>32&1))*2 - 1
	}
	v[0] += 0.01 // never zero
	return v
}

// Doc is a document of the suite.
func Doc(id, body string) evidence.Document {
	return evidence.Document{ID: id, Source: "test", URL: "https://example.org/" + id, Title: "About " + id, Text: body,
		Language: "en", Revision: "r1", Published: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Retrieved: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Score: 0.5, Untrusted: true,
		Tags: []string{"a", "b"}, Meta: map[string]string{"points": "7"}}
}

// Chunks cuts a text at blank lines and embeds the pieces.
func Chunks(body string) evidence.Chunks {
	out := evidence.Chunks{Model: Model()}
	start := 0
	for piece := range strings.SplitSeq(body, "\n\n") {
		end := start + len(piece)
		out.Items = append(out.Items, evidence.Chunk{Start: start, End: end, Text: piece, Vector: Embed(piece)})
		start = end + 2
	}
	return out
}

// Query is a hybrid query of the suite.
func Query(q string, k int) evidence.RecallQuery {
	return evidence.RecallQuery{Text: q, Vector: Embed(q), Model: Model(), K: k}
}

func (s suite) start(t *testing.T) contract.Memory {
	t.Helper()
	return s.at(t, t.TempDir())
}

func (s suite) at(t *testing.T, dir string) contract.Memory {
	t.Helper()
	return s.with(t, contract.Config{Dir: dir})
}

func (s suite) with(t *testing.T, cfg contract.Config) contract.Memory {
	t.Helper()
	m, err := s.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open(%+v) = %v", cfg, err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return m
}

func put(t *testing.T, m contract.Memory, doc evidence.Document) evidence.Receipt {
	t.Helper()
	r, err := m.Put(t.Context(), doc, Chunks(doc.Text))
	if err != nil {
		t.Fatalf("Put(%s) = %v", doc.ID, err)
	}
	return r
}

func recall(t *testing.T, m contract.Memory, q evidence.RecallQuery) evidence.RecallResult {
	t.Helper()
	r, err := m.Recall(t.Context(), q)
	if err != nil {
		t.Fatalf("Recall(%q) = %v", q.Text, err)
	}
	if r.Hits == nil {
		t.Fatalf("Recall(%q) has nil Hits", q.Text)
	}
	for i, h := range r.Hits {
		if h.Passage.Score < 0 || h.Passage.Score > 1 || i > 0 && h.Passage.Score > r.Hits[i-1].Passage.Score {
			t.Errorf("Recall(%q) hit %d has score %v", q.Text, i, h.Passage.Score)
		}
		if h.Document.Text != "" || h.Document.ID != h.Passage.DocumentID {
			t.Errorf("Recall(%q) hit %d: document %q with %d bytes of text, passage of %q", q.Text, i, h.Document.ID, len(h.Document.Text), h.Passage.DocumentID)
		}
	}
	return r
}

func ids(r evidence.RecallResult) []string {
	out := []string{}
	for _, h := range r.Hits {
		out = append(out, h.Document.ID)
	}
	return out
}

// wantProblem checks that err is an *evidence.Problem with a remedy, and
// contains words.
func wantProblem(t *testing.T, err error, words ...string) {
	t.Helper()
	var p *evidence.Problem
	if !errors.As(err, &p) {
		t.Errorf("error = %v, want an *evidence.Problem", err)
		return
	}
	if p.Try == "" {
		t.Errorf("problem %q has no Try", p.What)
	}
	for _, w := range words {
		if !strings.Contains(p.Error(), w) {
			t.Errorf("problem %q does not contain %q", p.Error(), w)
		}
	}
}

func seed(t *testing.T, m contract.Memory) {
	t.Helper()
	for i, body := range []string{
		"Transformers rely on attention and process all tokens at once.",
		"Goroutines are multiplexed onto threads by the scheduler of the Go runtime.",
		"BERT is a bidirectional encoder that was trained on masked words.",
		"Sourdough bread rises by wild yeast and lactic bacteria.",
	} {
		put(t, m, Doc(fmt.Sprintf("d%d", i), body))
	}
}
