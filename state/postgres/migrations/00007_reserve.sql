-- +goose Up

-- Deletions that are due: with GHL's requests of a day nearly used up they go out
-- while a backlog waits.
create index ghl_sync_mappings_due_absent on ghl_sync_mappings (starts_at, next_attempt_at)
    where next_attempt_at is not null and wanted = 'absent';

-- +goose Down
drop index ghl_sync_mappings_due_absent;
