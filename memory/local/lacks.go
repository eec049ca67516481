package local

import (
	"context"
	"sync"
)

// lacks is what this process knows of the documents without vectors, by model. Recalls ask
// whether there are any: counting them each time would be a large part of a recall.
type lacks struct {
	mu sync.Mutex
	of map[int64]lack
}

// lack is whether documents lack vectors of a model. Whoever writes vectors or documents, in
// any process, logs the change in the same transaction: it is known of the change seq, and of
// later ones where the documents that changed since are looked at.
type lack struct {
	seq int64
	any bool
	doc int64 // one of them, where it is known
}

// lacksQuerier is a transaction.
type lacksQuerier interface {
	querier
	rowsQuerier
}

// lacking selects the newest of the documents ?2 that has not all vectors of the model ?1.
const lacking = `SELECT coalesce(max(d.id), 0) FROM doc d WHERE d.id IN (SELECT value FROM json_each(?2))
	AND NOT EXISTS(SELECT 1 FROM vec v WHERE v.doc=d.id AND v.model=?1 AND v.missing=0)`

// any reports whether documents lack vectors of a model, as tx sees them.
func (k *lacks) any(ctx context.Context, tx lacksQuerier, model int64) (bool, error) {
	k.mu.Lock()
	was, known := k.of[model]
	k.mu.Unlock()
	seq, err := lastChange(ctx, tx)
	if err != nil {
		return false, err
	}
	if known && seq == was.seq {
		return was.any, nil
	}
	now, ok := lack{}, false
	if known {
		now, ok, err = was.at(ctx, tx, model, seq)
	}
	if err == nil && !ok {
		now, err = findLack(ctx, tx, model)
	}
	if err != nil {
		return false, err
	}
	now.seq = seq
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil {
		k.of = map[int64]lack{}
	}
	if seq > k.of[model].seq { // not that of a transaction which began before another's
		k.of[model] = now
	}
	return now.any, nil
}

// at returns what is known after the change seq; ok is false where that has to be counted.
func (w lack) at(ctx context.Context, tx lacksQuerier, model, seq int64) (now lack, ok bool, err error) {
	docs := []int64{w.doc}
	switch {
	case w.any && w.doc == 0 || seq-w.seq > inlineChanges:
		return now, false, nil
	case !w.any:
		if docs, ok, err = changedDocs(ctx, tx, w.seq, seq); err != nil || !ok {
			return now, false, err
		}
	}
	err = tx.QueryRowContext(ctx, lacking, model, jsonIDs(docs)).Scan(&now.doc)
	now.any = now.doc != 0
	return now, now.any || !w.any, err
}

// findLack counts. Vectors are filled in from the newest document to the oldest, or the other
// way: the last one to get some is one of these two.
func findLack(ctx context.Context, tx lacksQuerier, model int64) (now lack, err error) {
	have, total, err := coverage(ctx, tx, model)
	if now.any = have < total; err != nil || !now.any {
		return now, err
	}
	ends, err := int64s(ctx, tx, "SELECT coalesce(min(id), 0) FROM doc UNION SELECT coalesce(max(id), 0) FROM doc")
	if err != nil {
		return now, err
	}
	err = tx.QueryRowContext(ctx, lacking, model, jsonIDs(ends)).Scan(&now.doc)
	return now, err
}
