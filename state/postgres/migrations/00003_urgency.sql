-- +goose Up

-- When the event starts (-infinity where that is not known, before all others), and
-- where to look for its appointment while the id of that is not known.
alter table ghl_sync_mappings
    add column starts_at timestamptz not null default '-infinity',
    add column known     text;

-- What is due is called in the order in which events start. When the next row is
-- due is found in the same index: what it holds beyond what is due are the few
-- rows that wait for a retry.
drop index ghl_sync_mappings_due;
create index ghl_sync_mappings_due on ghl_sync_mappings (starts_at, next_attempt_at)
    where next_attempt_at is not null;

-- +goose Down
drop index ghl_sync_mappings_due;
create index ghl_sync_mappings_due on ghl_sync_mappings (next_attempt_at)
    where next_attempt_at is not null;
alter table ghl_sync_mappings
    drop column known,
    drop column starts_at;
