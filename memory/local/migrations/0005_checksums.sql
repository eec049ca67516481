-- A checksum of stored vectors, which nothing else can be compared with.

ALTER TABLE vec ADD COLUMN sum INTEGER; -- CRC-32C of v; NULL: written before there were any
