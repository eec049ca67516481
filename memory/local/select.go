package local

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// condition is a field of a selector as SQL on the table doc d.
type condition struct {
	name string // for messages, such as "source hackernews"
	sql  string
	args []any
	ids  bool // it is the list of ids
}

type conditions []condition

// conditionsOf returns a condition for each field that is set.
func conditionsOf(sel contract.Selector) conditions {
	var out conditions
	if len(sel.IDs) > 0 {
		out = append(out, condition{"ids", "d.uid IN (SELECT value FROM json_each(?))", []any{jsonStrings(sel.IDs)}, true})
	}
	if sel.URL != "" {
		out = append(out, condition{"address " + sel.URL, "d.url = ?", []any{sel.URL}, false})
	}
	if sel.Source != "" {
		out = append(out, condition{"source " + sel.Source, "d.source = ?", []any{sel.Source}, false})
	}
	if !sel.Before.IsZero() {
		out = append(out, condition{"before " + sel.Before.Format(time.RFC3339), "d.retrieved < ?", []any{intake.Bounded(sel.Before).UnixMicro()}, false})
	}
	if sel.Session != "" {
		out = append(out, condition{"session " + sel.Session, `(d.own = 0 AND EXISTS(SELECT 1 FROM link WHERE session=? AND doc=d.id AND put=1)
			AND NOT EXISTS(SELECT 1 FROM link WHERE session<>? AND doc=d.id AND put=1))`, []any{sel.Session, sel.Session}, false})
	}
	return out
}

// joined is the condition that all of c hold. Of none, nothing is selected.
func (c conditions) joined() (where string, args []any) {
	if len(c) == 0 {
		return "0", nil
	}
	parts := make([]string, 0, len(c))
	for _, one := range c {
		parts, args = append(parts, one.sql), append(args, one.args...)
	}
	return strings.Join(parts, " AND "), args
}

// idsAlone reports whether documents are selected by nothing but their ids.
func (c conditions) idsAlone() bool { return len(c) == 1 && c[0].ids }

// selectDocs returns the documents that are selected, and are not kept.
func (f *forgetting) selectDocs(ctx context.Context, tx *sql.Tx) ([]selectedDoc, error) {
	where, args := conditionsOf(f.sel).joined()
	if len(f.also) > 0 {
		where, args = "("+where+") OR d.uid IN (SELECT value FROM json_each(?))", append(args, jsonStrings(f.also))
	}
	var out []selectedDoc
	var uids []string
	err := eachRow(ctx, tx, `SELECT d.id, d.uid, d.title, d.hash, (SELECT count(*) FROM chunk c WHERE c.doc=d.id) FROM doc d WHERE `+
		where+" ORDER BY d.id", args, func(row scanner) error {
		var d selectedDoc
		err := row.Scan(&d.id, &d.uid, &d.title, &d.hash, &d.chunks)
		out, uids = append(out, d), append(uids, d.uid)
		return err
	})
	if err != nil || f.keep == nil {
		return out, err
	}
	stay, err := f.keep(ctx, uids)
	return slices.DeleteFunc(out, func(d selectedDoc) bool { return stay[d.uid] }), err
}

// uids returns the ids of the selected documents, then those that are selected
// by nothing but their id and are not stored.
func (f *forgetting) uids() []string {
	out, have := make([]string, 0, len(f.docs)+len(f.sel.IDs)), map[string]bool{}
	for _, d := range f.docs {
		out, have[d.uid] = append(out, d.uid), true
	}
	named := f.also
	if conditionsOf(f.sel).idsAlone() {
		named = append(slices.Clone(named), f.sel.IDs...)
	}
	for _, id := range named {
		if !have[id] {
			out, have[id] = append(out, id), true
		}
	}
	return out
}

// matched counts what each condition selects alone.
func (f *forgetting) matched(ctx context.Context, tx *sql.Tx) ([]evidence.Matched, error) {
	var out []evidence.Matched
	for _, c := range conditionsOf(f.sel) {
		m := evidence.Matched{Selector: c.name}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM doc d WHERE "+c.sql, c.args...).Scan(&m.Documents); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// warnMissing warns of ids that were given and are not selected.
func (f *forgetting) warnMissing() {
	have := map[string]bool{}
	for _, d := range f.docs {
		have[d.uid] = true
	}
	what := "there is no document %q"
	if !conditionsOf(f.sel).idsAlone() {
		what = "not every selector selects a document %q"
	}
	for _, id := range f.sel.IDs {
		if !have[id] {
			f.receipt.Warnings, have[id] = append(f.receipt.Warnings, fmt.Sprintf(what, id)), true
		}
	}
}

// addRemoved adds a document to the receipt.
func (f *forgetting) addRemoved(d selectedDoc) {
	f.receipt.Documents++
	f.receipt.Chunks += d.chunks
	f.receipt.IDs, f.receipt.Titles = append(f.receipt.IDs, d.uid), append(f.receipt.Titles, d.title)
}
