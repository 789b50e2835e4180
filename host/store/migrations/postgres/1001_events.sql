-- Events and what is counted of them. In SQLite this is a file of its own, since a file has one writer.

-- Events by UTC day of arrival, so that retention drops whole days. `event_no` rises within each `writer`.
create table event (
    day integer not null,
    app_no bigint not null,
    event_no bigint not null,
    writer bigint not null,
    rev bigint not null,
    seq bigint,
    event_type text not null,
    at bigint not null,
    arrived_at bigint not null,
    run_no bigint not null,
    treatment smallint not null,
    message_id text,
    document text not null,
    primary key (day, app_no, event_no, writer)
);
create index event_seq on event (app_no, seq, at) where seq is not null;
-- What followers of one type read: in the order of commits, and without the documents.
create index event_rev on event (app_no, event_type, rev, seq, at) where seq is not null;

-- Keys of events that may be told twice: receipts, retried requests.
create table event_key (
    app_no bigint not null,
    event_key text not null,
    day integer not null,
    primary key (app_no, event_key)
);

-- Events by minute (minutes since 1970). `run_no` 0: of direct messages, or of none.
create table event_count (
    app_no bigint not null,
    run_no bigint not null,
    treatment smallint not null,
    minute bigint not null,
    metric smallint not null,
    writer bigint not null,
    count bigint not null,
    primary key (app_no, run_no, treatment, minute, metric, writer)
);

-- Who did something at least once in a run: per 65,536 seqs (`part` is seq / 65536) a roaring bitmap of
-- seq, so that one more opening rewrites 8 kB at the most.
create table event_unique (
    app_no bigint not null,
    run_no bigint not null,
    treatment smallint not null,
    metric smallint not null,
    part integer not null,
    members bytea not null,
    primary key (app_no, run_no, treatment, metric, part)
);

-- What an endpoint did so far, by type of event: the `Events.TYPE.*` columns of predicates.
create table event_summary (
    app_no bigint not null,
    event_type text not null,
    seq bigint not null,
    count bigint not null,
    first_at bigint not null,
    last_at bigint not null,
    primary key (app_no, event_type, seq)
);

create table event_meta (
    name text primary key,
    value text not null
);
