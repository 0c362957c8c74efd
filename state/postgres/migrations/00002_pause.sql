-- +goose Up

-- What an operator decided about delivery as a whole: one row while it is paused.
create table delivery_pause (
    id        integer     not null primary key check (id = 1),
    paused_at timestamptz not null
);

-- +goose Down
drop table delivery_pause;
