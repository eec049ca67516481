-- Vectors that are written in the background, chunk by chunk.

ALTER TABLE vec ADD COLUMN missing INTEGER NOT NULL DEFAULT 0; -- chunks that are still to be embedded
CREATE INDEX vec_missing ON vec(model) WHERE missing > 0;
