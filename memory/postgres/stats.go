package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Place is the cluster, database, schema and tenant; see contract.Placed.
func (m *Memory) Place(ctx context.Context) (place string, err error) {
	err = m.read(ctx, "asking where the memory is", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select concat_ws('/', system_identifier, oid, current_schema(), $1::text) from pg_control_system(), pg_database where datname = current_database()", m.tenant).Scan(&place)
	})
	return place, err
}

// Stats counts what the memory holds; see contract.Describer.
func (m *Memory) Stats(ctx context.Context) (contract.Stats, error) {
	var s contract.Stats
	err := m.read(ctx, "counting", func(tx pgx.Tx) error {
		s = contract.Stats{Backend: backendName, Path: m.server.name, BySource: map[string]int{}, Models: []contract.ModelStats{},
			Index: evidence.IndexLexical, Words: "GIN, without pg_textsearch", Warnings: []string{}}
		if m.server.bm25 {
			s.Words = "pg_textsearch"
		}
		total, err := m.counted(ctx, tx, 0)
		if err != nil {
			return err
		}
		s.Documents, s.Chunks, s.TextBytes = int(total.documents), int(total.chunks), total.bytes
		var oldest, newest *time.Time
		err = tx.QueryRow(ctx, `select (select count(*) from session where tenant = $1), (select count(*) from turn where tenant = $1), (select count(*) from run where tenant = $1),
			(select min(retrieved) from doc where tenant = $1), (select max(retrieved) from doc where tenant = $1), (select version from memory_layout),
			(select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class where relnamespace = quote_ident(current_schema())::regnamespace and relkind = 'r')`, m.tenant).
			Scan(&s.Sessions, &s.Turns, &s.Runs, &oldest, &newest, &s.Schema, &s.Bytes)
		if err != nil {
			return err
		}
		if oldest != nil && newest != nil {
			s.Oldest, s.Newest = oldest.UTC(), newest.UTC()
		}
		err = eachRow(ctx, tx, func(row pgx.Row) error {
			var name string
			var n int
			err := row.Scan(&name, &n)
			s.BySource[name] = n
			return err
		}, "select source, count(*) from doc where tenant = $1 group by source", m.tenant)
		if err != nil {
			return err
		}
		if err := m.spaceStats(ctx, tx, &s); err != nil {
			return err
		}
		note, err := m.unwiped(ctx, tx)
		if note != "" {
			s.Warnings = append(s.Warnings, note)
		}
		return err
	})
	return s, err
}

func (m *Memory) spaceStats(ctx context.Context, tx pgx.Tx, s *contract.Stats) error {
	spaces, err := m.allSpaces(ctx, tx)
	if err != nil {
		return err
	}
	for _, one := range spaces {
		have, err := m.counted(ctx, tx, one.id)
		if err != nil {
			return err
		}
		s.Models = append(s.Models, contract.ModelStats{Name: one.model.Name, Revision: one.model.Revision, Kind: one.model.Kind,
			Dims: one.model.Dims, Documents: int(have.documents), Active: one.active})
		if one.wanted {
			s.Reindex = &contract.Progress{Model: contract.ModelText(one.model), Done: int(have.documents), Total: s.Documents}
		}
		if one.active {
			s.Embedder, s.Index, s.Indexed = contract.ModelText(one.model), evidence.IndexReady, int(have.chunks)
		}
	}
	return nil
}
