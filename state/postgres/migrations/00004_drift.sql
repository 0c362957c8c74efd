-- +goose Up

-- What somebody else did to the appointment in GHL, and when we heard of it.
alter table ghl_sync_mappings
    add column drift    text,
    add column drift_at timestamptz;

-- Few rows have any.
create index ghl_sync_mappings_drift on ghl_sync_mappings (sentra_event_id)
    where drift is not null;

-- +goose Down
drop index ghl_sync_mappings_drift;
alter table ghl_sync_mappings
    drop column drift_at,
    drop column drift;
