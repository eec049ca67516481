-- Which documents have the terms of the present version: an older program made others.
-- Those with ids above since were put after that version came.

CREATE TABLE words(
	version INTEGER NOT NULL,
	upto    INTEGER NOT NULL,            -- documents up to this id have been made anew
	since   INTEGER NOT NULL             -- the highest id when the version came
);
INSERT INTO words SELECT 2, 0, coalesce(max(id), 0) FROM doc;
