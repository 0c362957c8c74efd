-- +goose Up

-- What all who deliver may spend together of GHL's rate: one row, a bucket of
-- tokens. It is full up to burst tokens at spent_until plus the time in which so
-- many flow in; each token that is taken moves it on by the time of one.
create table delivery_budget (
    id          integer     not null primary key check (id = 1),
    spent_until timestamptz not null
) with (fillfactor = 50);

insert into delivery_budget (id, spent_until) values (1, '-infinity');

-- +goose Down
drop table delivery_budget;
