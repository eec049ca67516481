package local

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// minNeedle is the shortest id that is searched for byte by byte: a shorter one
// occurs in other words.
const minNeedle = 16

// ProveErased searches for an id; see contract.ErasureProver.
func (l *Local) ProveErased(ctx context.Context, id string) (contract.ErasureReport, error) {
	r := contract.ErasureReport{ID: id, Found: []string{}}
	if id == "" {
		return r, errors.New("looking for an id: it is empty")
	}
	err := l.read(ctx, "looking for "+id, func(tx *sql.Tx) error {
		for _, c := range []struct{ place, query string }{
			{"the documents", "SELECT EXISTS(SELECT 1 FROM doc WHERE uid=?)"},
			{"the sessions", "SELECT EXISTS(SELECT 1 FROM session WHERE uid=?)"},
			{"the answers", "SELECT EXISTS(SELECT 1 FROM run WHERE uid=?)"},
			{"the citations of an answer", "SELECT EXISTS(SELECT 1 FROM cites WHERE ?1 IN (doc, run))"},
			{"the text of an answer", "SELECT EXISTS(SELECT 1 FROM run WHERE instr(body, json_quote(?)))"},
			{"the turns of a session", "SELECT EXISTS(SELECT 1 FROM turn WHERE run=?)"},
			{"the sessions that documents belong to", "SELECT EXISTS(SELECT 1 FROM link WHERE session=?)"},
			{"titles and addresses of documents", "SELECT EXISTS(SELECT 1 FROM doc WHERE instr(lower(title), lower(?1)) OR instr(lower(url), lower(?1)))"},
			{"texts of documents", "SELECT EXISTS(SELECT 1 FROM body WHERE instr(lower(text), lower(?)))"},
			{"what an answer says and knows", "SELECT EXISTS(SELECT 1 FROM run WHERE instr(lower(body), lower(?)))"},
			{"what was said in a session", "SELECT EXISTS(SELECT 1 FROM turn WHERE instr(lower(text), lower(?)))"},
			{"titles and summaries of sessions", "SELECT EXISTS(SELECT 1 FROM session WHERE instr(lower(title), lower(?1)) OR instr(lower(summary), lower(?1)))"},
		} {
			var found bool
			if err := tx.QueryRowContext(ctx, c.query, id).Scan(&found); err != nil {
				return err
			}
			if found {
				r.Found = append(r.Found, c.place)
			}
		}
		if claimed, err := l.claimsHold(id); err != nil {
			return err
		} else if claimed {
			r.Found = append(r.Found, "the questions that are being worked on")
		}
		if !looksLikeID(id) {
			return nil
		}
		var removed bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM gone WHERE mark=?)", traces.IDHash(id)).Scan(&removed)
		r.Unknown = len(r.Found) == 0 && !removed
		return err
	})
	if err == nil {
		err = l.findInIndex(ctx, &r)
	}
	if err == nil && len(id) >= minNeedle {
		err = l.findInFiles(ctx, id, &r)
	}
	r.Gone = err == nil && len(r.Found) == 0
	return r, err
}

// looksLikeID reports whether s is like the ids of documents, sessions and answers,
// such as s_4y4c3ysyuuvljzjq, and not words or an address. A shorter one may be mistyped.
func looksLikeID(s string) bool {
	prefix, rest, ok := strings.Cut(s, "_")
	return ok && rest != "" && (prefix == "d" || prefix == "s" || prefix == "r") && !strings.ContainsAny(rest, " /:.")
}

// findInIndex looks for documents that are in RAM but no longer in the file.
func (l *Local) findInIndex(ctx context.Context, r *contract.ErasureReport) error {
	if _, err := l.index.catchUp(ctx, 0); err != nil {
		return err
	}
	for _, h := range l.index.all() {
		if !h.isReady() || h.err != nil {
			continue
		}
		var ids []int64
		h.space.mu.RLock()
		for doc := range h.space.docs {
			ids = append(ids, doc)
		}
		h.space.mu.RUnlock()
		if len(ids) == 0 {
			continue
		}
		var lost int
		err := l.rdb.QueryRowContext(ctx, "SELECT count(*) FROM json_each(?) WHERE value NOT IN (SELECT id FROM doc)", jsonIDs(ids)).Scan(&lost)
		if err != nil {
			return l.failed(ctx, "looking through the index", err)
		}
		if lost > 0 && l.caughtUp(ctx) {
			r.Found = append(r.Found, fmt.Sprintf("the index of %s, which holds %d removed documents", contract.ModelText(h.row.model), lost))
		}
	}
	return nil
}

// findInFiles searches all files of the data folder.
func (l *Local) findInFiles(ctx context.Context, id string, r *contract.ErasureReport) error {
	select {
	case l.copies <- struct{}{}:
		defer func() { <-l.copies }()
	case <-ctx.Done():
		return ctx.Err()
	}
	dir := filepath.Dir(l.path)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, "-shm") {
			return err
		}
		if filepath.Dir(path) == dir && strings.HasPrefix(d.Name(), cacheName) {
			return nil // the cache of package fetch is not part of the memory
		}
		found, err := l.fileHolds(ctx, path, []byte(id))
		if err != nil || !found {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		r.Found = append(r.Found, "the bytes of "+name)
		return nil
	})
}

// fileHolds reports whether a file of the data folder, which may no longer
// exist, contains want.
func (l *Local) fileHolds(ctx context.Context, path string, want []byte) (bool, error) {
	if path == l.path {
		return holdsBytes(ctx, l.raw.reader(), want)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	return holdsBytes(ctx, f, want)
}

func holdsBytes(ctx context.Context, f io.Reader, want []byte) (bool, error) {
	buf, kept := make([]byte, 1<<20), 0
	for {
		n, err := f.Read(buf[kept:])
		if bytes.Contains(buf[:kept+n], want) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return false, err
		}
		tail := min(len(want)-1, kept+n)
		copy(buf, buf[kept+n-tail:kept+n])
		kept = tail
	}
}
