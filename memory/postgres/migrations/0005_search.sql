-- memory_having finds passages of the connection's tenant with all of some terms, of which
-- the documents pass filters; a filter that is null lets everything through. Row-level
-- security comes before conditions whose operators might tell what they have seen, and @>
-- counts as one: a role that it binds could not use the index passage_stems. The function
-- has the rights of the owner and takes the tenant from where the policies take it, so
-- that it finds nothing that its caller may not see.
create function memory_having(of_terms text[], most bigint, without_docs bigint[], of_source text, of_session text, of_tags text[], since timestamptz, until timestamptz)
returns table(at_doc bigint, at_ord int) language plpgsql stable security definer rows 1000 as $$
declare
	mine text := current_setting('research.tenant', true);
	caller text := coalesce(nullif(current_setting('role', true), 'none'), session_user); -- here, current_user is the owner
	all_docs boolean := of_source is null and of_session is null and of_tags is null and since is null and until is null;
begin
	if not has_table_privilege(caller, 'passage', 'select') then
		raise insufficient_privilege using message = format('the role %s may not read passages', caller);
	end if;
	return query select p.doc, p.ord from passage p
		where p.tenant = mine and string_to_array(p.stems, ' ') @> of_terms
			and (without_docs is null or p.doc <> all(without_docs))
			and (all_docs or exists(select 1 from doc d where d.tenant = mine and d.id = p.doc
				and (of_source is null or d.source = of_source)
				and (of_session is null or exists(select 1 from link l where l.tenant = mine and l.session = of_session and l.doc = d.id))
				and (of_tags is null or d.tags @> of_tags)
				and (since is null or d.retrieved >= since)
				and (until is null or d.retrieved <= until)))
		limit most;
end $$;

do $$
begin
	execute format('alter function memory_having(text[], bigint, bigint[], text, text, text[], timestamptz, timestamptz) set search_path = %I, pg_temp', current_schema());
end $$;

-- What is to be embedded is found without looking at what is: each document has a row in
-- embedded for each model that is followed. Of the documents that were there before, those
-- with ids below backlog have none yet.
alter table model add backlog bigint; -- null: the model is not followed
create index embedded_missing on embedded(tenant, model, doc) where missing > 0;
