-- What forgetting has still to do, and what an answer under way may no longer quote.

CREATE TABLE due(                        -- a removal whose bytes may still be in the file
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	at       INTEGER NOT NULL,
	selector TEXT NOT NULL               -- JSON: what the backups have still to forget; empty: nothing
);

CREATE TABLE gone(                       -- documents forgotten within the last hours
	mark INTEGER PRIMARY KEY,            -- a hash: the id itself must not stay
	at   INTEGER NOT NULL
);
CREATE INDEX gone_at ON gone(at);
