-- Cells of a large vector space: groups of vectors that are near to each other, of which
-- a search reads a few. Nothing else depends on them; they can be learned anew.

CREATE TABLE codebook(
	model   INTEGER PRIMARY KEY REFERENCES model(id) ON DELETE CASCADE,
	version INTEGER NOT NULL,            -- when it was learned
	vectors INTEGER NOT NULL,            -- how many there were
	probes  INTEGER NOT NULL,            -- how many cells a search reads; 0: all vectors
	spread  REAL NOT NULL,               -- mean cosine of a vector and the centre of its cell
	recall  REAL NOT NULL,               -- measured with so many probes
	centres BLOB NOT NULL                -- as cells.Book has them
);

CREATE TABLE cell(                       -- the cells of a document's vectors
	model   INTEGER NOT NULL REFERENCES model(id) ON DELETE CASCADE,
	doc     INTEGER NOT NULL REFERENCES doc(id) ON DELETE CASCADE,
	version INTEGER NOT NULL,            -- of the codebook
	sum     INTEGER NOT NULL,            -- the checksum of the vectors that they are of
	cells   BLOB NOT NULL,               -- n uint16, little endian; 65535: this chunk has no vector
	PRIMARY KEY(doc, model)
) WITHOUT ROWID;
CREATE INDEX cell_model ON cell(model);
