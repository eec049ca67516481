package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Check verifies that the stored data agree; see contract.Checker. It reads the
// whole file, which takes seconds for a large one.
func (l *Local) Check(ctx context.Context) (contract.CheckReport, error) {
	r := contract.CheckReport{Problems: []string{}}
	err := l.checkDatabase(ctx, &r)
	if err == nil {
		err = l.checkWords(ctx, &r)
	}
	if err == nil {
		err = l.checkIndex(ctx, &r)
	}
	if err == nil {
		err = l.checkCells(ctx, &r)
	}
	if err != nil {
		return contract.CheckReport{Problems: []string{}}, err
	}
	if r.OK = len(r.Problems) == 0; !r.OK && (r.Try == "" || len(r.Problems) > 1) {
		r.Try = fmt.Sprintf("`research-mcp memory repair` makes a new file of everything that can be read and keeps the old one; or put the newest backup from %s in the file's place",
			filepath.Join(filepath.Dir(l.path), backupDir))
	}
	return r, nil
}

// checkDatabase uses a new connection. On one that has served recalls, the FTS5
// part of integrity_check uses a cached list of the segments of the word index,
// and reports those that another process has merged since as damage.
func (l *Local) checkDatabase(ctx context.Context, r *contract.CheckReport) (err error) {
	db, err := openDB(l.path, true)
	if err != nil {
		return l.failed(ctx, "checking", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return l.failed(ctx, "checking", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if err := l.checkFile(ctx, tx, r); err != nil {
		return l.failed(ctx, "checking", err)
	}
	for _, part := range []func(context.Context, *sql.Tx, *contract.CheckReport) error{l.checkRows, checkTexts, checkVectors} {
		if err := part(ctx, tx, r); err != nil {
			return l.failed(ctx, "checking", err)
		}
	}
	return nil
}

// mostNamed is how many damaged documents a report names.
const mostNamed = 5

// checkTexts compares each text with its content hash.
func checkTexts(ctx context.Context, tx *sql.Tx, r *contract.CheckReport) error {
	var bad []string
	err := eachRow(ctx, tx, "SELECT d.uid, d.title, d.hash, b.text FROM doc d JOIN body b ON b.doc=d.id", nil, func(row scanner) error {
		var uid, title, hash, body string
		if err := row.Scan(&uid, &title, &hash, &body); err != nil {
			return err
		}
		if hash != evidence.ContentHash(title, body) {
			bad = append(bad, uid)
		}
		return nil
	})
	report(r, "documents whose text or title is not the one that was stored", bad)
	return err
}

// checkVectors compares the stored vectors with their checksums.
func checkVectors(ctx context.Context, tx *sql.Tx, r *contract.CheckReport) error {
	var bad []string
	err := eachRow(ctx, tx, "SELECT d.uid, v.v, v.sum FROM vec v JOIN doc d ON d.id=v.doc WHERE v.sum IS NOT NULL", nil, func(row scanner) error {
		var uid string
		var blob sql.RawBytes
		var sum int64
		if err := row.Scan(&uid, &blob, &sum); err != nil {
			return err
		}
		if sum != checksum(blob) {
			bad = append(bad, uid)
		}
		return nil
	})
	report(r, "documents whose vectors do not match their checksum", bad)
	return err
}

func report(r *contract.CheckReport, what string, ids []string) {
	if len(ids) == 0 {
		return
	}
	named := strings.Join(ids[:min(len(ids), mostNamed)], ", ")
	if len(ids) > mostNamed {
		named += ", …"
	}
	r.Problems = append(r.Problems, fmt.Sprintf("%s: %d (%s)", what, len(ids), named))
}

func (l *Local) checkFile(ctx context.Context, tx *sql.Tx, r *contract.CheckReport) error {
	found, err := stringsOf(ctx, tx, "PRAGMA integrity_check(20)")
	if err != nil {
		return err
	}
	for _, s := range found {
		if s != "ok" {
			r.Problems = append(r.Problems, "the file: "+s)
		}
	}
	var orphans int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&orphans); err != nil {
		return err
	}
	if orphans > 0 {
		r.Problems = append(r.Problems, "references to a row that does not exist: "+text.Count(orphans, "row"))
	}
	return nil
}

// checkRows compares counters, bodies, chunks and vectors.
func (l *Local) checkRows(ctx context.Context, tx *sql.Tx, r *contract.CheckReport) error {
	t, err := readTally(ctx, tx)
	if err != nil {
		return err
	}
	var size, terms int64
	err = tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM doc), (SELECT count(*) FROM chunk), (SELECT coalesce(sum(bytes), 0) FROM doc),
		(SELECT coalesce(sum(length(terms) - length(replace(terms, ' ', '')) + (terms <> '')), 0) FROM chunk), (SELECT coalesce(sum(n), 0) FROM vec)`).
		Scan(&r.Documents, &r.Chunks, &size, &terms, &r.Vectors)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		n    int64
	}{{"documents", int64(r.Documents)}, {"chunks", int64(r.Chunks)}, {"bytes", size}, {"terms", terms}} {
		if t[c.name] != c.n {
			r.Problems = append(r.Problems, fmt.Sprintf("the counter of %s is %d, the count %d", c.name, t[c.name], c.n))
		}
	}
	broken, err := pendingErasures(ctx, tx, l.now().Add(-interruptedAfter).UnixMicro())
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("interrupted: %s; bytes of forgotten documents may still be in the file or in a backup", text.Count(len(broken), "removal")))
		r.Try = "forget it again, or run `research-mcp serve` for a moment: either completes the removal"
	}
	for _, c := range []struct{ what, query string }{
		{"documents without their text", "SELECT count(*) FROM doc d LEFT JOIN body b ON b.doc=d.id WHERE b.doc IS NULL OR length(CAST(b.text AS BLOB)) <> d.bytes"},
		{"documents without chunks", "SELECT count(*) FROM doc d WHERE NOT EXISTS(SELECT 1 FROM chunk c WHERE c.doc=d.id)"},
		{"chunks outside of their text", "SELECT count(*) FROM chunk c JOIN doc d ON d.id=c.doc WHERE c.start < 0 OR c.stop < c.start OR c.stop > d.bytes"},
		{"documents whose vectors do not match their chunks", `SELECT count(*) FROM vec v JOIN model m ON m.id=v.model
			WHERE length(v.v) <> 4*v.n*m.dims OR v.n <> (SELECT count(*) FROM chunk c WHERE c.doc=v.doc) OR v.first <> (SELECT min(id) FROM chunk c WHERE c.doc=v.doc)`},
		{"turns whose answer is missing", "SELECT count(*) FROM turn t WHERE t.run IS NOT NULL AND NOT EXISTS(SELECT 1 FROM run r WHERE r.uid=t.run)"},
	} {
		var n int
		if err := tx.QueryRowContext(ctx, c.query).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("%s: %d", c.what, n))
		}
	}
	return nil
}

// checkWords lets FTS5 compare its index with the chunks. The command is an
// INSERT and takes the write lock, but writes nothing.
func (l *Local) checkWords(ctx context.Context, r *contract.CheckReport) error {
	if l.readOnly {
		return nil
	}
	tx, err := l.wdb.BeginTx(ctx, nil)
	if err != nil {
		return l.failed(ctx, "checking the word index", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	_, err = tx.ExecContext(ctx, "INSERT INTO fts(fts, rank) VALUES('integrity-check', 1)")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.Problems = append(r.Problems, fmt.Sprintf("the word index does not match the chunks: %v", err))
	}
	return nil
}

// checkIndex compares the spaces in RAM with the file. It waits for those that are being
// loaded.
func (l *Local) checkIndex(ctx context.Context, r *contract.CheckReport) error {
	for _, h := range l.index.all() {
		select {
		case <-h.loaded:
		case <-l.index.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if _, err := l.index.catchUp(ctx, 0); err != nil {
		return err
	}
	for _, h := range l.index.all() {
		if !h.isReady() || h.err != nil {
			continue
		}
		vectors, docs := h.space.size()
		r.Indexed += vectors
		var n int
		if err := l.rdb.QueryRowContext(ctx, "SELECT count(*) FROM vec WHERE model=?", h.row.id).Scan(&n); err != nil {
			return l.failed(ctx, "checking the index", err)
		}
		// Another process may have written since: count again after catching
		// up.
		if n != docs && l.caughtUp(ctx) {
			r.Problems = append(r.Problems, fmt.Sprintf("documents in the index of %s: %d; in the file: %d", contract.ModelText(h.row.model), docs, n))
		}
	}
	return nil
}

// caughtUp reports whether no other process has written since the index was
// last updated.
func (l *Local) caughtUp(ctx context.Context) bool {
	select {
	case l.index.follow <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-l.index.follow }()
	var version int64
	err := l.index.pin.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version)
	return err == nil && version == l.index.version
}
