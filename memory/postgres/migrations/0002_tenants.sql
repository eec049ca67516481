-- Tenants: their names, and row-level security. A connection says whose rows it may see
-- (research.tenant). It holds for every role but the owner of the tables, superusers and
-- those with BYPASSRLS: see docs/guides/postgres.md for a role of the servers.

create table tenant(
	name  text primary key,
	added timestamptz not null default now()
);
alter table tenant enable row level security;
create policy own on tenant using (name = current_setting('research.tenant', true));

do $$
declare
	t regclass;
begin
	for t in select c.oid from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant'
		where c.relnamespace = quote_ident(current_schema())::regnamespace and c.relkind = 'r' loop
		execute format('alter table %s enable row level security', t);
		execute format('create policy own on %s using (tenant = current_setting(''research.tenant'', true))', t);
	end loop;
end $$;

-- memory_space returns the id of a model, which it adds with the table of its vectors if
-- it is new. The first model of a tenant becomes the active one, if activate says so. It
-- has the rights of the owner, since it makes a table, and gives those who write passages
-- the same rights to it.
create or replace function memory_space(of_tenant text, of_name text, of_revision text, of_dims int, of_kind text, activate boolean)
returns int language plpgsql security definer as $$
declare
	m int;
	r record;
begin
	if of_tenant is distinct from current_setting('research.tenant', true) then
		raise insufficient_privilege using message = 'the connection is not that of the tenant';
	end if;
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
	execute format('alter table vec_%s enable row level security', m);
	execute format('create policy own on vec_%s using (tenant = current_setting(''research.tenant'', true))', m);
	for r in select distinct x.grantee from pg_class c, aclexplode(c.relacl) x
		where c.oid = 'passage'::regclass and x.privilege_type = 'INSERT' and x.grantee <> 0 and x.grantee <> c.relowner loop
		execute format('grant select, insert, update, delete on vec_%s to %s', m, r.grantee::regrole);
	end loop;
	return m;
end $$;

-- What a function with the rights of its owner calls must not depend on its caller.
do $$
begin
	execute format('alter function memory_space(text, text, text, int, text, boolean) set search_path = %I, %I, pg_temp', current_schema(),
		(select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'));
end $$;
