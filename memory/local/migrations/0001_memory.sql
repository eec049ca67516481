-- The first layout. Times are microseconds since 1970 in UTC, NULL when unknown.

CREATE TABLE tally(                      -- counters, so that totals need no scan
	name TEXT PRIMARY KEY,
	n    INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO tally VALUES ('documents', 0), ('chunks', 0), ('terms', 0), ('bytes', 0);

CREATE TABLE model(                      -- vector spaces; two never mix
	id       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL,
	revision TEXT NOT NULL,
	dims     INTEGER NOT NULL,
	kind     TEXT NOT NULL,
	active   INTEGER NOT NULL DEFAULT 0, -- 1 for at most one
	wanted   INTEGER NOT NULL DEFAULT 0, -- 1 while a change to it is under way
	UNIQUE(name, revision)
);
CREATE UNIQUE INDEX model_active ON model(active) WHERE active = 1;

CREATE TABLE doc(
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	uid       TEXT NOT NULL UNIQUE,      -- evidence.Document.ID
	source    TEXT NOT NULL,
	url       TEXT NOT NULL,
	title     TEXT NOT NULL,
	language  TEXT NOT NULL,
	license   TEXT NOT NULL,
	revision  TEXT NOT NULL,
	published INTEGER,
	retrieved INTEGER NOT NULL,
	score     REAL NOT NULL,
	untrusted INTEGER NOT NULL,
	truncated INTEGER NOT NULL,
	pinned    INTEGER NOT NULL,          -- retention leaves it alone
	own       INTEGER NOT NULL,          -- 1: it was put outside of any session at least once
	turn      INTEGER,                   -- place in its conversation; NULL: not a turn
	hash      TEXT NOT NULL,             -- evidence.ContentHash of title and text
	bytes     INTEGER NOT NULL,          -- of the text
	tags      TEXT NOT NULL,             -- JSON array
	meta      TEXT NOT NULL              -- JSON object
);
CREATE INDEX doc_source ON doc(source);
CREATE INDEX doc_url ON doc(url);
CREATE INDEX doc_retrieved ON doc(retrieved);

CREATE TABLE body(                       -- apart from doc, so that a scan of doc stays small
	doc  INTEGER PRIMARY KEY REFERENCES doc(id) ON DELETE CASCADE,
	text TEXT NOT NULL
);

CREATE TABLE tag(
	tag TEXT NOT NULL,
	doc INTEGER NOT NULL REFERENCES doc(id) ON DELETE CASCADE,
	PRIMARY KEY(tag, doc)
) WITHOUT ROWID;
CREATE INDEX tag_doc ON tag(doc);

CREATE TABLE link(                       -- which sessions a document belongs to
	session TEXT NOT NULL,
	doc     INTEGER NOT NULL REFERENCES doc(id) ON DELETE CASCADE,
	put     INTEGER NOT NULL,            -- 1: the session brought it; 0: it only cites it
	PRIMARY KEY(session, doc)
) WITHOUT ROWID;
CREATE INDEX link_doc ON link(doc);

CREATE TABLE chunk(                      -- ids of one document are contiguous
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	doc     INTEGER NOT NULL REFERENCES doc(id) ON DELETE CASCADE,
	ord     INTEGER NOT NULL,
	start   INTEGER NOT NULL,            -- byte offsets into body.text
	stop    INTEGER NOT NULL,
	simhash INTEGER NOT NULL,            -- 0: too short to compare
	terms   TEXT NOT NULL                -- stems without stop words, of title and text
);
CREATE UNIQUE INDEX chunk_doc ON chunk(doc, ord);

-- The terms come cut and stemmed: this tokenizer only splits them at spaces.
CREATE VIRTUAL TABLE fts USING fts5(terms, content='chunk', content_rowid='id', tokenize="ascii tokenchars '.,:;_'");
CREATE VIRTUAL TABLE fts_row USING fts5vocab(fts, 'row');
INSERT INTO fts(fts, rank) VALUES('secure-delete', 1);

CREATE TABLE vec(                        -- all vectors of one document in one space
	id    INTEGER PRIMARY KEY,
	model INTEGER NOT NULL REFERENCES model(id) ON DELETE CASCADE,
	doc   INTEGER NOT NULL REFERENCES doc(id) ON DELETE CASCADE,
	first INTEGER NOT NULL,              -- id of the first chunk
	n     INTEGER NOT NULL,              -- chunks
	v     BLOB NOT NULL,                 -- n*dims float32, little endian; all zeros: this chunk has none
	UNIQUE(doc, model)
);
CREATE INDEX vec_model ON vec(model);

CREATE TABLE change(                     -- what other processes follow
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	doc INTEGER NOT NULL                 -- 0: the active model
);

CREATE TABLE session(
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	uid        TEXT NOT NULL UNIQUE,
	title      TEXT NOT NULL,
	summary    TEXT NOT NULL,
	summary_to INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	updated    INTEGER NOT NULL
);
CREATE INDEX session_updated ON session(updated);

CREATE TABLE turn(
	session INTEGER NOT NULL REFERENCES session(id) ON DELETE CASCADE,
	seq     INTEGER NOT NULL,
	role    TEXT NOT NULL,
	text    TEXT NOT NULL,
	at      INTEGER NOT NULL,
	run     TEXT,                        -- run.uid
	PRIMARY KEY(session, seq)
) WITHOUT ROWID;
CREATE INDEX turn_run ON turn(run) WHERE run IS NOT NULL;

CREATE TABLE run(
	uid     TEXT PRIMARY KEY,
	session INTEGER NOT NULL REFERENCES session(id) ON DELETE CASCADE,
	at      INTEGER NOT NULL,
	body    TEXT NOT NULL                -- evidence.Answer as JSON
);
CREATE INDEX run_session ON run(session);

CREATE TABLE cites(                      -- documents that a run quotes or names
	doc TEXT NOT NULL,                   -- evidence.Document.ID
	run TEXT NOT NULL REFERENCES run(uid) ON DELETE CASCADE,
	PRIMARY KEY(doc, run)
) WITHOUT ROWID;
CREATE INDEX cites_run ON cites(run);
