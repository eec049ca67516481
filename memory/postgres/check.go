package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Check verifies that the stored data agree; see contract.Checker. It reads all texts,
// which takes minutes for a large memory.
func (m *Memory) Check(ctx context.Context) (contract.CheckReport, error) {
	var r contract.CheckReport
	err := m.read(ctx, "checking", func(tx pgx.Tx) error {
		r = contract.CheckReport{Problems: []string{}}
		for _, part := range []func(context.Context, pgx.Tx, *contract.CheckReport) error{m.checkCounts, m.checkRows, m.checkTexts, m.checkVectors} {
			if err := part(ctx, tx, &r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return contract.CheckReport{Problems: []string{}}, err
	}
	if r.OK = len(r.Problems) == 0; !r.OK {
		r.Try = "`research-mcp memory export` writes what can be read, to be imported into another database; or restore a backup of the server (docs/guides/postgres.md)"
	}
	return r, nil
}

func (r *problems) add(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

type problems contract.CheckReport

// checkCounts compares the counters with the rows.
func (m *Memory) checkCounts(ctx context.Context, tx pgx.Tx, r *contract.CheckReport) error {
	said, err := m.counted(ctx, tx, 0)
	if err != nil {
		return err
	}
	var is tally
	err = tx.QueryRow(ctx, `select count(*), coalesce(sum(chunks), 0)::bigint, coalesce(sum(terms), 0)::bigint, coalesce(sum(bytes), 0)::bigint from doc where tenant = $1`, m.tenant).
		Scan(&is.documents, &is.chunks, &is.terms, &is.bytes)
	if err != nil {
		return err
	}
	r.Documents, r.Chunks = int(is.documents), int(is.chunks)
	if said != is {
		(*problems)(r).add("the counters say %d documents, %d chunks, %d terms and %d bytes, and there are %d, %d, %d and %d", said.documents, said.chunks, said.terms, said.bytes,
			is.documents, is.chunks, is.terms, is.bytes)
	}
	return nil
}

// checkRows compares documents with their passages.
func (m *Memory) checkRows(ctx context.Context, tx pgx.Tx, r *contract.CheckReport) error {
	for _, c := range []struct{ query, says string }{
		{"select count(*) from doc d where d.tenant = $1 and not exists(select 1 from body b where b.tenant = $1 and b.doc = d.id)", "without a text"},
		{"select count(*) from doc d where d.tenant = $1 and d.chunks <> (select count(*) from passage p where p.tenant = $1 and p.doc = d.id)", "with another number of chunks than recorded"},
		{`select count(*) from doc d where d.tenant = $1 and d.terms <> coalesce((select sum(coalesce(array_length(` + stemsArray + `, 1), 0)) from passage p where p.tenant = $1 and p.doc = d.id), 0)`,
			"whose words are not those recorded"},
		{`select count(distinct p.doc) from passage p join body b on b.tenant = $1 and b.doc = p.doc where p.tenant = $1
			and (p.start < 0 or p.stop < p.start or p.stop > length(b.text))`, "with a chunk that is not a piece of its text"},
	} {
		var n int
		if err := tx.QueryRow(ctx, c.query, m.tenant).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			(*problems)(r).add("there %s %s %s", isAre(n), text.Count(n, "document"), c.says)
		}
	}
	return nil
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// checkTexts compares each text with its hash.
func (m *Memory) checkTexts(ctx context.Context, tx pgx.Tx, r *contract.CheckReport) error {
	return eachRow(ctx, tx, func(row pgx.Row) error {
		var uid, title, hash string
		var body []byte
		if err := row.Scan(&uid, &title, &hash, &body); err != nil {
			return err
		}
		if evidence.ContentHash(title, string(body)) != hash && len(r.Problems) < maxNamed {
			(*problems)(r).add("the text of document %s is not the one that was stored: its hash differs", uid)
		}
		return nil
	}, "select d.uid, d.title, d.hash, b.text from doc d join body b on b.tenant = d.tenant and b.doc = d.id where d.tenant = $1 order by d.id", m.tenant)
}

// maxNamed is how many records a report names.
const maxNamed = 20

// checkVectors compares what is recorded of vectors with those that are stored.
func (m *Memory) checkVectors(ctx context.Context, tx pgx.Tx, r *contract.CheckReport) error {
	spaces, err := m.allSpaces(ctx, tx)
	if err != nil {
		return err
	}
	for _, s := range spaces {
		said, err := m.counted(ctx, tx, s.id)
		if err != nil {
			return err
		}
		var n, complete, wrong int
		err = tx.QueryRow(ctx, fmt.Sprintf(`with v as materialized (select doc, count(*) n from %s where tenant = $1 group by doc),
				e as materialized (select doc, missing, stored from embedded where tenant = $1 and model = $2)
			select (select coalesce(sum(n), 0) from v), (select count(*) from e where missing = 0),
				(select count(*) from v full join e using(doc) where coalesce(v.n, 0) <> coalesce(e.stored, 0))`, s.table()), m.tenant, s.id).Scan(&n, &complete, &wrong)
		if err != nil {
			return err
		}
		r.Vectors += n
		if s.active {
			r.Indexed = n
		}
		name := contract.ModelText(s.model)
		if int(said.documents) != complete {
			(*problems)(r).add("the counters say that %d documents have vectors of %s, and %d have", said.documents, name, complete)
		}
		if wrong > 0 {
			(*problems)(r).add("there %s %s with another number of vectors of %s than recorded", isAre(wrong), text.Count(wrong, "document"), name)
		}
	}
	return nil
}
