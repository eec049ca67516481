package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// params are the parameters of a statement as it is put together.
type params []any

// add adds a parameter and returns its mark.
func (p *params) add(v any) string {
	*p = append(*p, v)
	return fmt.Sprintf("$%d", len(*p))
}

// storableID is an id or name as a parameter: PostgreSQL has no text with invalid or zero
// bytes, so that nothing is stored under such a one either.
func storableID(s string) string { return intake.SameLength(s) }

// filterOf returns the filters of a query as conditions on doc as d, empty if there are
// none.
func filterOf(q evidence.RecallQuery, tenant string, p *params) string {
	var parts []string
	if q.Source != "" {
		parts = append(parts, "d.source = "+p.add(storableID(q.Source)))
	}
	if q.Session != "" {
		parts = append(parts, fmt.Sprintf("d.id in (select doc from link where tenant = %s and session = %s)", p.add(tenant), p.add(storableID(q.Session))))
	}
	if len(q.Tags) > 0 {
		parts = append(parts, "d.tags @> "+p.add(storableTags(q.Tags))+"::text[]")
	}
	if !q.Since.IsZero() {
		parts = append(parts, "d.retrieved >= "+p.add(intake.Bounded(q.Since)))
	}
	if !q.Until.IsZero() {
		parts = append(parts, "d.retrieved <= "+p.add(intake.Bounded(q.Until)))
	}
	return strings.Join(parts, " and ")
}

// filterArgs are the filters of a query as the last arguments of memory_having.
func filterArgs(q evidence.RecallQuery) []any {
	var source, session *string
	var tags []string
	var since, until *time.Time
	if q.Source != "" {
		id := storableID(q.Source)
		source = &id
	}
	if q.Session != "" {
		id := storableID(q.Session)
		session = &id
	}
	if len(q.Tags) > 0 {
		tags = storableTags(q.Tags)
	}
	if t := intake.Bounded(q.Since); !q.Since.IsZero() {
		since = &t
	}
	if t := intake.Bounded(q.Until); !q.Until.IsZero() {
		until = &t
	}
	return []any{source, session, tags, since, until}
}

func storableTags(tags []string) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = intake.Tag(t)
	}
	return out
}
