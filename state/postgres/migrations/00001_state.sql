-- +goose Up

-- One row an event. Ids are ordered bytewise, as everywhere in ghlsync. LSNs are
-- integers, which compare as LSNs do: '0/0'::pg_lsn + commit_lsn shows one.
create table ghl_sync_mappings (
    sentra_event_id    text collate "C" not null primary key,
    ghl_appointment_id text,
    sync_status        text        not null,
    last_sync_attempt  timestamptz,
    sync_error         text,
    created_at         timestamptz,
    updated_at         timestamptz,
    event_type         text,
    wanted             text        not null,
    payload_hash       text,
    epoch              bigint      not null,
    commit_lsn         bigint      not null,
    committed_at       timestamptz,
    revision           bigint      not null,
    ghl_state          text        not null,
    ghl_hash           text,
    ghl_at             timestamptz,
    assumed            boolean     not null default false,
    attempts           bigint      not null default 0,
    next_attempt_at    timestamptz,
    lease_owner        text,
    lease_until        timestamptz,
    parked_reason      text,
    hold               text,
    retracted          boolean     not null default false,
    unsettled_until    timestamptz,
    call_operation     text,
    call_state         text,
    call_delivery_id   text,
    call_hash          text,
    call_revision      bigint,
    call_before        text,
    call_tries         bigint,
    call_started_at    timestamptz,
    call_settles_at    timestamptz,
    payload            text,
    call_body          text
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Each index costs capture a share of its speed, so there are few and all are
-- partial: a row that is synced is in that of its appointment at most.
create index ghl_sync_mappings_due on ghl_sync_mappings (next_attempt_at)
    where next_attempt_at is not null;
create index ghl_sync_mappings_appointment on ghl_sync_mappings (ghl_appointment_id)
    where ghl_appointment_id is not null;
create index ghl_sync_mappings_lease on ghl_sync_mappings (lease_until)
    where lease_until is not null;
-- What people look at, in the order of ids.
create index ghl_sync_mappings_attention on ghl_sync_mappings (sentra_event_id)
    where hold = 'held' or sync_status = 'failed';
create index ghl_sync_mappings_fuse on ghl_sync_mappings (committed_at)
    where retracted;
create index ghl_sync_mappings_tombstone on ghl_sync_mappings (updated_at)
    where wanted = 'absent' and sync_status = 'synced';

create table replication_checkpoints (
    slot          text    not null primary key,
    end_lsn       bigint  not null,
    epoch         bigint  not null,
    system_id     text    not null,
    timeline      integer not null,
    database_name text    not null,
    fingerprint   text    not null,
    capturer      text    not null,
    committed_at  timestamptz,
    updated_at    timestamptz,
    snapshot_lsn  bigint  not null,
    baseline_at   timestamptz
);

-- The audit: one line a call, never a body.
create table delivery_attempts (
    id               bigint      generated always as identity primary key,
    sentra_event_id  text        not null,
    operation        text        not null,
    call_delivery_id text        not null,
    started_at       timestamptz not null,
    duration_us      bigint      not null,
    http_status      integer,
    outcome          text        not null,
    error_code       text
);

create index delivery_attempts_event on delivery_attempts (sentra_event_id, started_at);
create index delivery_attempts_started on delivery_attempts (started_at);

-- Appointments that are gone from GHL and never adopted again.
create table retired_appointments (
    ghl_appointment_id text        not null primary key,
    sentra_event_id    text        not null,
    retired_at         timestamptz not null
);

-- What operators see, kept up to date by differences. Each transaction adds its
-- own to one of these rows, taken at random, so that two that end at the same time
-- seldom wait for each other; the sum counts.
create table sync_counts (
    id              integer not null primary key,
    synced          bigint  not null default 0,
    pending         bigint  not null default 0,
    failed          bigint  not null default 0,
    held            bigint  not null default 0,
    assumed         bigint  not null default 0,
    last_attempt_at timestamptz
) with (fillfactor = 50);

insert into sync_counts (id) select generate_series(0, 15);

-- +goose Down
drop table sync_counts;
drop table retired_appointments;
drop table delivery_attempts;
drop table replication_checkpoints;
drop table ghl_sync_mappings;
