-- Times are nanoseconds since 1970 in UTC, NULL when unknown.

CREATE TABLE about(version TEXT NOT NULL);

CREATE TABLE tally(                      -- sums over piece, so that no search has to scan it
	pieces INTEGER NOT NULL,
	terms  INTEGER NOT NULL
);
INSERT INTO tally VALUES(0, 0);

CREATE TABLE file(
	id        INTEGER PRIMARY KEY,
	path      TEXT NOT NULL UNIQUE,
	size      INTEGER NOT NULL,
	modified  INTEGER NOT NULL,
	hash      BLOB NOT NULL,
	title     TEXT NOT NULL,
	language  TEXT NOT NULL,
	published INTEGER,
	truncated INTEGER NOT NULL,
	warning   TEXT NOT NULL,
	failed    INTEGER NOT NULL,
	left_out  INTEGER NOT NULL,          -- bytes of its text, if there was no room for it
	bytes     INTEGER NOT NULL,          -- of its text in the index
	parts     INTEGER NOT NULL
);

CREATE TABLE part(
	id     INTEGER PRIMARY KEY,
	file   INTEGER NOT NULL REFERENCES file(id) ON DELETE CASCADE,
	number INTEGER NOT NULL,             -- from 1
	text   BLOB NOT NULL
);
CREATE INDEX part_file ON part(file);

CREATE TABLE piece(                      -- what is ranked; its id is the rowid in fts
	id    INTEGER PRIMARY KEY AUTOINCREMENT,
	part  INTEGER NOT NULL REFERENCES part(id) ON DELETE CASCADE,
	start INTEGER NOT NULL,              -- byte offsets into part.text
	stop  INTEGER NOT NULL,
	head  TEXT NOT NULL,                 -- the headings above it, one a line
	terms INTEGER NOT NULL               -- how many it has
);
CREATE INDEX piece_part ON piece(part);

-- The terms come cut and stemmed: this tokenizer only splits them at spaces.
CREATE VIRTUAL TABLE fts USING fts5(terms, content='', contentless_delete=1, tokenize="ascii tokenchars '.,:;_'");
CREATE VIRTUAL TABLE term USING fts5vocab(fts, 'row');
CREATE VIRTUAL TABLE posting USING fts5vocab(fts, 'instance');

CREATE TABLE word(                       -- for repairing the spelling of a query
	word TEXT PRIMARY KEY,
	n    INTEGER NOT NULL                -- parts of files in which it was read
) WITHOUT ROWID;
