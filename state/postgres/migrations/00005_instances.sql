-- +goose Up

-- The daemons that work on this state. Each renews its row every second.
create table instances (
    id         text        not null primary key,
    version    text        not null,
    http_addr  text        not null,
    started_at timestamptz not null,
    last_seen  timestamptz not null
) with (fillfactor = 50);

-- Who may capture, and until when: one row at most.
create table capture_lease (
    id          integer     not null primary key check (id = 1),
    instance_id text        not null,
    until       timestamptz not null
) with (fillfactor = 50);

-- +goose Down
drop table capture_lease;
drop table instances;
