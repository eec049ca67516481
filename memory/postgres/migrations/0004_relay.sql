-- Messages between the processes that use this database, for seconds: bus.go.

create table relay(
	tenant  text not null default '',
	box     text not null,               -- a hash of whose session it is and of its id
	owner   text not null,               -- a hash of whose it is
	id      text not null,               -- of the call: a retry finds it here
	at      timestamptz not null default clock_timestamp(),
	message bytea not null,
	primary key(tenant, box, id)
);
alter table relay enable row level security;
create policy own on relay using (tenant = current_setting('research.tenant', true));

-- Who may write claims may write messages.
do $$
declare
	r record;
begin
	for r in select distinct x.grantee from pg_class c, aclexplode(c.relacl) x
		where c.oid = 'claim'::regclass and x.privilege_type = 'INSERT' and x.grantee not in (0, c.relowner) loop
		execute format('grant select, insert, update, delete on relay to %s', r.grantee::regrole);
	end loop;
end $$;
