-- +goose Up

-- One row an event. Times are microseconds since 1970 in UTC, NULL where there
-- is none. Short columns come first: a filter on them does not read the bodies.
create table ghl_sync_mappings (
    sentra_event_id    text    not null primary key,
    ghl_appointment_id text,
    sync_status        text    not null,
    last_sync_attempt  integer,
    sync_error         text,
    created_at         integer,
    updated_at         integer,
    event_type         text,
    wanted             text    not null,
    payload_hash       text,
    epoch              integer not null,
    commit_lsn         integer not null,
    committed_at       integer,
    revision           integer not null,
    ghl_state          text    not null,
    ghl_hash           text,
    ghl_at             integer,
    assumed            integer not null default 0,
    attempts           integer not null default 0,
    next_attempt_at    integer,
    lease_owner        text,
    lease_until        integer,
    parked_reason      text,
    hold               text,
    retracted          integer not null default 0,
    unsettled_until    integer,
    call_operation     text,
    call_state         text,
    call_delivery_id   text,
    call_hash          text,
    call_revision      integer,
    call_before        text,
    call_tries         integer,
    call_started_at    integer,
    call_settles_at    integer,
    payload            text,
    call_body          text
) strict;

-- Each index costs capture a share of its speed, so there are few and all are
-- partial: a row that is synced is in that of its appointment at most.
create index ghl_sync_mappings_due on ghl_sync_mappings (next_attempt_at)
    where next_attempt_at is not null;
create index ghl_sync_mappings_appointment on ghl_sync_mappings (ghl_appointment_id)
    where ghl_appointment_id is not null;
create index ghl_sync_mappings_lease on ghl_sync_mappings (lease_until)
    where lease_until is not null;
-- What people look at, and the fuse pages through, in the order of ids.
create index ghl_sync_mappings_attention on ghl_sync_mappings (sentra_event_id, committed_at)
    where retracted = 1 or hold = 'held' or sync_status = 'failed';
create index ghl_sync_mappings_fuse on ghl_sync_mappings (committed_at, hold)
    where retracted = 1;
create index ghl_sync_mappings_tombstone on ghl_sync_mappings (updated_at)
    where wanted = 'absent' and sync_status = 'synced';

create table replication_checkpoints (
    slot          text    not null primary key,
    end_lsn       integer not null,
    epoch         integer not null,
    system_id     text    not null,
    timeline      integer not null,
    database_name text    not null,
    fingerprint   text    not null,
    capturer      text    not null,
    committed_at  integer,
    updated_at    integer,
    snapshot_lsn  integer not null,
    baseline_at   integer
) strict, without rowid;

-- The audit: one line a call, never a body.
create table delivery_attempts (
    id               integer primary key,
    sentra_event_id  text    not null,
    operation        text    not null,
    call_delivery_id text    not null,
    started_at       integer not null,
    duration_us      integer not null,
    http_status      integer,
    outcome          text    not null,
    error_code       text
) strict;

create index delivery_attempts_event on delivery_attempts (sentra_event_id, started_at);
create index delivery_attempts_started on delivery_attempts (started_at);

-- Appointments that are gone from GHL and never adopted again.
create table retired_appointments (
    ghl_appointment_id text    not null primary key,
    sentra_event_id    text    not null,
    retired_at         integer not null
) strict, without rowid;

-- What operators see, kept up to date by differences.
create table sync_counts (
    id              integer not null primary key check (id = 1),
    synced          integer not null,
    pending         integer not null,
    failed          integer not null,
    held            integer not null,
    assumed         integer not null default 0,
    last_attempt_at integer
) strict;

insert into sync_counts (id, synced, pending, failed, held, assumed) values (1, 0, 0, 0, 0, 0);

-- +goose Down
drop table sync_counts;
drop table retired_appointments;
drop table delivery_attempts;
drop table replication_checkpoints;
drop table ghl_sync_mappings;
