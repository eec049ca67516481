package tools

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Watch looks at the content of a resource, and reports whether it has changed since it was
// called last; the first call only looks. What appears and what is forgotten has changed.
// If the first call failed, the next that does not reports a change: what happened in
// between is not known. It is called by one goroutine at a time.
type Watch func(ctx context.Context) (changed bool, err error)

type lookingKey struct{}

// Looking reports whether ctx is of a watch, which nobody waits for: it reads what is open
// anyway, and takes no place from calls.
func Looking(ctx context.Context) bool { return ctx.Value(lookingKey{}) != nil }

// Look returns a context of which Looking reports true.
func Look(ctx context.Context) context.Context { return context.WithValue(ctx, lookingKey{}, true) }

// content is what a watch compares: equal contents have equal marks, and none has "".
type content func(ctx context.Context) (mark string, err error)

func (c content) watch() Watch {
	failed, known, last := false, false, ""
	return func(ctx context.Context) (bool, error) {
		now, err := c(Look(ctx))
		if err != nil {
			failed = true
			return false, err
		}
		changed := known && now != last || !known && failed
		known, last = true, now
		return changed, nil
	}
}

// markOf is the mark of what was read. An id that is not stored is no failure.
func markOf(read any, err error) (string, error) {
	var p *evidence.Problem
	if errors.As(err, &p) && p.Usage {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(read)
	sum := sha256.Sum256(raw)
	return string(sum[:]), err
}

// watchRun watches an answer. It is small, and the memory does not say which answers are new.
func (d Deps) watchRun(id string) Watch {
	return content(func(ctx context.Context) (string, error) {
		a, err := d.Reader.Run(ctx, id)
		return markOf(a, err)
	}).watch()
}

// watchDocument watches a document, which is read again only if the memory has changed.
func (d Deps) watchDocument(id string) Watch {
	var at, last string
	return content(func(ctx context.Context) (string, error) {
		position, err := d.Reader.Position(ctx)
		if err != nil || position == at {
			return last, err
		}
		doc, err := d.Reader.Document(ctx, id)
		mark, err := markOf(doc, err)
		if err == nil {
			at, last = position, mark
		}
		return mark, err
	}).watch()
}
