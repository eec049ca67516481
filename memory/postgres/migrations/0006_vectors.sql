-- Vectors do not reference their passages: to make or to drop a table that does locks
-- passage, for which the writers of all tenants would wait. What removes passages removes
-- their vectors (tally.go).

do $$
declare
	r record;
begin
	for r in select conrelid::regclass of_table, conname from pg_constraint
		where contype = 'f' and confrelid = 'passage'::regclass and conrelid::regclass::text like 'vec\_%' loop
		execute format('alter table %s drop constraint %I', r.of_table, r.conname);
	end loop;
end $$;

-- memory_space returns the id of a model, which it adds with the table of its vectors if
-- it is new. The first model of a tenant becomes the active one, if activate says so. It
-- has the rights of the owner, since it makes a table: so it is for those only who write
-- passages, gives them the same rights to it, and there is a limit.
create or replace function memory_space(of_tenant text, of_name text, of_revision text, of_dims int, of_kind text, activate boolean)
returns int language plpgsql security definer as $$
declare
	m int;
	r record;
	most constant int := 64;
	caller text := coalesce(nullif(current_setting('role', true), 'none'), session_user); -- here, current_user is the owner
begin
	if not has_table_privilege(caller, 'passage', 'insert') then
		raise insufficient_privilege using message = format('the role %s may not write passages', caller);
	end if;
	if of_tenant is distinct from current_setting('research.tenant', true) then
		raise insufficient_privilege using message = 'the connection is not that of the tenant';
	end if;
	perform pg_advisory_xact_lock(hashtextextended('research-mcp space ' || current_schema(), 0));
	select id into m from model where tenant = of_tenant and name = of_name and revision = of_revision;
	if found then
		return m;
	end if;
	if (select count(*) >= most from model where tenant = of_tenant) then
		raise configuration_limit_exceeded using message = format('there are vectors of %s models already', most);
	end if;
	insert into model(tenant, name, revision, dims, kind, active)
		values(of_tenant, of_name, of_revision, of_dims, of_kind, activate and not exists(select 1 from model where tenant = of_tenant and active))
		returning id into m;
	execute format('create table vec_%s(
		tenant text not null default %L, doc bigint not null, ord int not null, v halfvec(%s) not null,
		primary key(tenant, doc, ord))', m, of_tenant, of_dims);
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
