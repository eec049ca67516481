package evidence

import "maps"

// Keys of Document.Meta that the program itself reads or writes. A source may
// add others of its own; they are stored and returned unchanged.
const (
	// MetaVia is the source whose link led to the page.
	MetaVia = "via"
	// MetaRequestedURL is the address that was asked for, before redirects.
	MetaRequestedURL = "requested_url"
	// MetaWarning says what may be wrong in the text, such as a character encoding
	// that was guessed. An answer that cites the document repeats it.
	MetaWarning = "warning"

	// MetaSession links a document to a session. The memory stores it as a link,
	// not as metadata: a document may belong to several sessions.
	MetaSession = "session"
	// MetaKind is what a document is; KindTurn is the only value with a meaning.
	MetaKind = "kind"
	// MetaSeq is the number of a turn within its session, in decimal. Without it
	// turns are ordered as they were put.
	MetaSeq = "seq"
	// MetaPinned with the value "true" exempts a document from retention.
	MetaPinned = "pinned"
)

// KindTurn is the value of MetaKind that marks a document as one turn of a
// conversation: recall takes its neighbours in the session, and the session's
// date, into account.
const KindTurn = "turn"

// WithMeta returns the document with one key of its Meta set, or removed where
// value is empty. The original's map is not changed.
func (d Document) WithMeta(key, value string) Document {
	meta := make(map[string]string, len(d.Meta)+1)
	maps.Copy(meta, d.Meta)
	if value == "" {
		delete(meta, key)
	} else {
		meta[key] = value
	}
	d.Meta = meta
	return d
}
