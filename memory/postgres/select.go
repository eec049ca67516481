package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// condition is a field of a selector as SQL on the table doc d.
type condition struct {
	name string // for messages, such as "source hackernews"
	sql  string // with $2 for the value
	arg  any
	ids  bool // it is the list of ids
}

type conditions []condition

// conditionsOf returns a condition for each field that is set.
func conditionsOf(sel contract.Selector) conditions {
	var out conditions
	if len(sel.IDs) > 0 {
		ids := make([]string, len(sel.IDs))
		for i, id := range sel.IDs {
			ids[i] = storableID(id)
		}
		out = append(out, condition{"ids", "d.uid = any($2)", ids, true})
	}
	if sel.URL != "" {
		out = append(out, condition{"address " + sel.URL, "d.url = $2", storableID(sel.URL), false})
	}
	if sel.Source != "" {
		out = append(out, condition{"source " + sel.Source, "d.source = $2", storableID(sel.Source), false})
	}
	if !sel.Before.IsZero() {
		out = append(out, condition{"before " + sel.Before.Format(time.RFC3339), "d.retrieved < $2", intake.Bounded(sel.Before), false})
	}
	if sel.Session != "" {
		out = append(out, condition{"session " + sel.Session, `(not d.own and exists(select 1 from link l where l.tenant = d.tenant and l.session = $2 and l.doc = d.id and l.put)
			and not exists(select 1 from link l where l.tenant = d.tenant and l.session <> $2 and l.doc = d.id and l.put))`, storableID(sel.Session), false})
	}
	return out
}

// joined is the condition that all of c hold, with parameters from $2 on. Of none, nothing
// is selected.
func (c conditions) joined(tenant string) (where string, p params) {
	p = params{tenant}
	if len(c) == 0 {
		return "false", p
	}
	parts := make([]string, 0, len(c))
	for _, one := range c {
		parts = append(parts, strings.ReplaceAll(one.sql, "$2", p.add(one.arg)))
	}
	return strings.Join(parts, " and "), p
}

// idsAlone reports whether documents are selected by nothing but their ids.
func (c conditions) idsAlone() bool { return len(c) == 1 && c[0].ids }

// selectDocs returns the documents that are selected.
func (f *forgetting) selectDocs(ctx context.Context, tx pgx.Tx) ([]selectedDoc, error) {
	where, p := conditionsOf(f.sel).joined(f.m.tenant)
	var out []selectedDoc
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var d selectedDoc
		err := row.Scan(&d.id, &d.uid, &d.title, &d.hash, &d.chunks)
		out = append(out, d)
		return err
	}, "select d.id, d.uid, d.title, d.hash, d.chunks from doc d where d.tenant = $1 and "+where+` order by d.uid collate "C"`, p...)
	return out, err
}

// uids returns the ids of the selected documents, then those that are selected
// by nothing but their id and are not stored.
func (f *forgetting) uids() []string {
	out, have := make([]string, 0, len(f.docs)+len(f.sel.IDs)), map[string]bool{}
	for _, d := range f.docs {
		out, have[d.uid] = append(out, d.uid), true
	}
	if !conditionsOf(f.sel).idsAlone() {
		return out
	}
	for _, id := range f.sel.IDs {
		if id = storableID(id); !have[id] {
			out, have[id] = append(out, id), true
		}
	}
	return out
}

// matched counts what each condition selects alone.
func (f *forgetting) matched(ctx context.Context, tx pgx.Tx) ([]evidence.Matched, error) {
	var out []evidence.Matched
	for _, c := range conditionsOf(f.sel) {
		one := evidence.Matched{Selector: c.name}
		where, p := conditions{c}.joined(f.m.tenant)
		if err := tx.QueryRow(ctx, "select count(*) from doc d where d.tenant = $1 and "+where, p...).Scan(&one.Documents); err != nil {
			return nil, err
		}
		out = append(out, one)
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
