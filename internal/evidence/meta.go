package evidence

// Keys of Document.Meta that the program itself reads or writes. A source may
// add others of its own; they are stored and returned unchanged.
const (
	// MetaLink is set by a source whose document is a link: the page at its URL
	// says more than its Text. The engine removes it.
	MetaLink = "link"
	// MetaKept and MetaStale are set by the reader of pages: the page came from
	// the cache, fresh or because its host could not be asked. The value is its age
	// as time.Duration prints it. The engine removes them.
	MetaKept  = "kept"
	MetaStale = "stale"
	// MetaVia is the source whose link led to the page.
	MetaVia = "via"
	// MetaRequestedURL is the address that was asked for, before redirects.
	MetaRequestedURL = "requested_url"

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
