-- What background jobs look for: documents with words of an older program, and removals
-- that are told as one.

create index doc_words on doc(tenant, words);

alter table wipe add removals bigint not null default 1; -- that this row stands for
