-- Events and what is counted of them. In SQLite this is a file of its own, since a file has one writer.

-- Events by UTC day of arrival, so that retention drops whole days. `event_no` rises within each `writer`.
create table event (
    day integer not null,
    app_no integer not null,
    event_no integer not null,
    writer integer not null,
    rev integer not null,
    seq integer,
    event_type text not null,
    at integer not null,
    arrived_at integer not null,
    run_no integer not null,
    treatment integer not null,
    message_id text,
    document text not null,
    primary key (day, app_no, event_no, writer)
) strict, without rowid;
create index event_seq on event (app_no, seq, at) where seq is not null;
-- What followers of one type read: in the order of commits, and without the documents.
create index event_rev on event (app_no, event_type, rev, seq, at) where seq is not null;

-- Keys of events that may be told twice: receipts, retried requests.
create table event_key (
    app_no integer not null,
    event_key text not null,
    day integer not null,
    primary key (app_no, event_key)
) strict, without rowid;

-- Events by minute (minutes since 1970). `run_no` 0: of direct messages, or of none.
create table event_count (
    app_no integer not null,
    run_no integer not null,
    treatment integer not null,
    minute integer not null,
    metric integer not null,
    writer integer not null,
    count integer not null,
    primary key (app_no, run_no, treatment, minute, metric, writer)
) strict, without rowid;

-- Who did something at least once in a run: per 65,536 seqs (`part` is seq / 65536) a roaring bitmap of
-- seq, so that one more opening rewrites 8 kB at the most.
create table event_unique (
    app_no integer not null,
    run_no integer not null,
    treatment integer not null,
    metric integer not null,
    part integer not null,
    members blob not null,
    primary key (app_no, run_no, treatment, metric, part)
) strict;

-- What an endpoint did so far, by type of event: the `Events.TYPE.*` columns of predicates.
create table event_summary (
    app_no integer not null,
    event_type text not null,
    seq integer not null,
    count integer not null,
    first_at integer not null,
    last_at integer not null,
    primary key (app_no, event_type, seq)
) strict, without rowid;

create table event_meta (
    name text primary key,
    value text not null
) strict;
