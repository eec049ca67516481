-- The first layout. Every table has the tenant as its leading key: '' is that of a
-- memory without tenants. Keys are deterministic below a document: (document, ordinal).

create table model(                      -- vector spaces; two never mix. Its vectors are in vec_<id>
	tenant   text not null default '',
	id       int generated always as identity,
	name     text not null,
	revision text not null,
	dims     int not null,
	kind     text not null,
	active   boolean not null default false,  -- at most one of a tenant
	wanted   boolean not null default false,  -- a change to it is under way
	primary key(tenant, id),
	unique(tenant, name, revision)
);
create unique index model_active on model(tenant) where active;

create table tally(                      -- counters, in slots so that writers do not wait for one another
	tenant    text not null default '',
	model     int not null,              -- 0: of the memory; else of what has all vectors of the model
	slot      int not null,
	documents bigint not null,
	chunks    bigint not null,
	terms     bigint not null,
	bytes     bigint not null,
	primary key(tenant, model, slot)
);

create table doc(
	tenant    text not null default '',
	id        bigint generated always as identity,
	uid       text not null,             -- evidence.Document.ID
	source    text not null,
	url       text not null,
	title     text not null,
	language  text not null,
	license   text not null,
	revision  text not null,
	published timestamptz,
	retrieved timestamptz not null,
	score     double precision not null,
	untrusted boolean not null,
	truncated boolean not null,
	pinned    boolean not null,          -- retention leaves it alone
	own       boolean not null,          -- it was put outside of any session at least once
	turn      bigint,                    -- place in its conversation; null: not a turn
	hash      text not null,             -- evidence.ContentHash of title and text
	bytes     bigint not null,           -- of the text
	chunks    int not null,
	terms     bigint not null,           -- of all its passages
	words     int not null,              -- version of the vocabulary that made them
	tags      text[] not null,
	meta      jsonb not null,
	primary key(tenant, id),
	unique(tenant, uid)
);
create index doc_source on doc(tenant, source);
create index doc_url on doc using hash(url);
create index doc_retrieved on doc(tenant, retrieved);
create index doc_tags on doc using gin(tags);

create table body(                       -- the text as bytes: offsets are bytes, and a piece is read without the rest
	tenant text not null default '',
	doc    bigint not null,
	text   bytea not null,
	primary key(tenant, doc),
	foreign key(tenant, doc) references doc on delete cascade
);
alter table body alter text set storage external;

create table passage(
	tenant  text not null default '',
	doc     bigint not null,
	ord     int not null,
	start   int not null,                -- byte offsets into body.text
	stop    int not null,
	simhash bigint not null,             -- 0: too short to compare
	stems   text not null,               -- of title and text, coded as words of ASCII letters
	primary key(tenant, doc, ord),
	foreign key(tenant, doc) references doc on delete cascade
);
create index passage_stems on passage using gin(string_to_array(stems, ' ')) with (gin_pending_list_limit = 512);

create table embedded(                   -- which documents have vectors of which model
	tenant  text not null default '',
	model   int not null,
	doc     bigint not null,
	missing int not null,                -- passages that are still to be embedded
	stored  int not null default 0,      -- vectors: a passage whose vector cannot be used has none
	primary key(tenant, model, doc),
	foreign key(tenant, doc) references doc on delete cascade,
	foreign key(tenant, model) references model on delete cascade
);
create index embedded_doc on embedded(tenant, doc);

create table link(                       -- which sessions a document belongs to
	tenant  text not null default '',
	session text not null,
	doc     bigint not null,
	put     boolean not null,            -- the session brought it; false: it only cites it
	primary key(tenant, session, doc),
	foreign key(tenant, doc) references doc on delete cascade
);
create index link_doc on link(tenant, doc);

create table session(
	tenant     text not null default '',
	id         bigint generated always as identity,
	uid        text not null,
	title      text not null,
	summary    text not null,
	summary_to bigint not null,
	created    timestamptz not null,
	updated    timestamptz not null,
	primary key(tenant, id),
	unique(tenant, uid)
);
create index session_updated on session(tenant, updated);

create table turn(
	tenant  text not null default '',
	session bigint not null,
	seq     bigint not null,
	role    text not null,
	text    text not null,
	at      timestamptz not null,
	run     text,                        -- run.uid
	batch   text not null,               -- the call that stored it: a retry finds it here
	primary key(tenant, session, seq),
	foreign key(tenant, session) references session on delete cascade
);
create index turn_run on turn(tenant, run) where run is not null;

create table run(
	tenant   text not null default '',
	uid      text not null,
	session  bigint not null,
	at       timestamptz not null,
	question text not null,
	status   text not null,
	body     text not null,              -- evidence.Answer as JSON; not jsonb, which changes it
	primary key(tenant, uid),
	foreign key(tenant, session) references session on delete cascade
);
create index run_session on run(tenant, session);
create index run_at on run(tenant, at);

create table cites(                      -- documents that a run quotes or names
	tenant text not null default '',
	doc    text not null,                -- evidence.Document.ID
	run    text not null,
	primary key(tenant, doc, run),
	foreign key(tenant, run) references run on delete cascade
);
create index cites_run on cites(tenant, run);

create table claim(                      -- runs that are being worked on
	tenant   text not null default '',
	id       text not null,              -- run.uid, once there is an answer
	session  text not null,              -- '': a new one
	question text not null,
	request  bytea not null,
	begun    timestamptz not null,
	holder   text not null,              -- the process, as it opened the memory
	sign     timestamptz not null,       -- its last sign of life, by the server's clock
	primary key(tenant, id)
);

create table gone(                       -- what was forgotten, as hashes: an answer under way may no longer quote it
	tenant text not null default '',
	mark   bigint not null,
	at     timestamptz not null,
	primary key(tenant, mark)
);
create index gone_at on gone(tenant, at);

create table wipe(                       -- removals whose bytes may still be in files of the server
	tenant    text not null default '',
	token     text not null,             -- of the call: a retry finds it here
	at        timestamptz not null,
	documents bigint not null,
	files     text not null,             -- of the tables at that time: when all are others, the bytes are gone
	primary key(tenant, token)
);

create table change(                     -- what other processes follow
	tenant text not null default '',
	seq    bigint generated always as identity,
	xid    xid8 not null default pg_current_xact_id(),
	doc    bigint not null,
	primary key(tenant, seq)
);
create index change_xid on change(tenant, xid);

create table feed(                       -- how far back change reaches
	tenant text not null default '',
	floor  xid8 not null,                -- changes of it and of older ones may have been removed
	primary key(tenant)
);

-- memory_space returns the id of a model, which it adds with the table of its vectors if
-- it is new. The first model of a tenant becomes the active one, if activate says so.
create function memory_space(of_tenant text, of_name text, of_revision text, of_dims int, of_kind text, activate boolean)
returns int language plpgsql as $$
declare
	m int;
begin
	perform pg_advisory_xact_lock(hashtextextended('research-mcp space ' || current_schema(), 0));
	select id into m from model where tenant = of_tenant and name = of_name and revision = of_revision;
	if found then
		return m;
	end if;
	insert into model(tenant, name, revision, dims, kind, active)
		values(of_tenant, of_name, of_revision, of_dims, of_kind, activate and not exists(select 1 from model where tenant = of_tenant and active))
		returning id into m;
	execute format('create table vec_%s(
		tenant text not null default %L, doc bigint not null, ord int not null, v halfvec(%s) not null,
		primary key(tenant, doc, ord), foreign key(tenant, doc, ord) references passage on delete cascade)', m, of_tenant, of_dims);
	if of_dims <= 3900 then -- inline in a page, and within the limit of HNSW
		execute format('alter table vec_%s alter v set storage plain', m);
		execute format('create index vec_%s_v on vec_%s using hnsw(v halfvec_cosine_ops)', m, m);
	end if;
	return m;
end $$;
