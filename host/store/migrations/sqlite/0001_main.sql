-- Times are milliseconds since 1970, UTC, unless a column says otherwise. Documents are Pinpoint's JSON
-- as text: no query looks inside, so that they can be sealed. Every row belongs to an account and a
-- region, itself or through its application.

-- Facts about this database: identity, epoch, revision, default account, check of the master key.
create table meta (
    name text primary key,
    value text not null
) strict;

-- What signs requests. Secrets cannot be hashed, since the HMAC needs them. `user_name` '': the account's
-- root.
create table access_key (
    access_key_id text primary key,
    account_id text not null,
    user_name text not null,
    secret_sealed blob not null,
    enabled integer not null default 1,
    created_at integer not null
) strict;
create index access_key_account on access_key (account_id, user_name);

-- Access control belongs to an account, in all regions. Every change of it, keys included, raises the
-- account's revision, so that other nodes see with one small read that what they remember is old.
create table iam_revision (
    account_id text primary key,
    revision integer not null
) strict;

-- Users, groups, roles and managed policies (`kind`). Names are looked up as they are written, since policies
-- compare them so, and differ by more than case. `entity_id` is never given twice.
create table iam_entity (
    account_id text not null,
    kind text not null,
    name text not null,
    folded_name text not null,
    entity_id text not null,
    boundary text,
    document text not null,
    created_at integer not null,
    primary key (account_id, kind, name),
    constraint iam_entity_folded unique (account_id, kind, folded_name)
) strict;
create index iam_entity_boundary on iam_entity (account_id, boundary) where boundary is not null;

-- Policies of one user, group or role alone.
create table iam_inline_policy (
    account_id text not null,
    kind text not null,
    name text not null,
    policy_name text not null,
    document text not null,
    primary key (account_id, kind, name, policy_name)
) strict;

-- Managed policies on users, groups and roles.
create table iam_attachment (
    account_id text not null,
    kind text not null,
    name text not null,
    policy_name text not null,
    primary key (account_id, kind, name, policy_name)
) strict;
create index iam_attachment_policy on iam_attachment (account_id, policy_name);

create table iam_member (
    account_id text not null,
    group_name text not null,
    user_name text not null,
    primary key (account_id, group_name, user_name)
) strict;
create index iam_member_user on iam_member (account_id, user_name);

-- Applications. `app_no` keeps the rows of large tables small; `next_seq` is only ever raised, so that a
-- seq never points at somebody else.
create table app (
    app_no integer primary key autoincrement,
    app_id text not null,
    account_id text not null,
    region text not null,
    name text not null,
    settings text not null,
    data_key_sealed blob not null,
    next_seq integer not null default 0,
    created_at integer not null,
    deleted_at integer,
    constraint app_id_unique unique (app_id)
) strict;
create index app_tenant on app (account_id, region, app_id);

create table tag (
    account_id text not null,
    region text not null,
    arn text not null,
    tag_key text not null,
    tag_value text not null,
    primary key (account_id, region, arn, tag_key)
) strict;

-- The documents that enable a channel for an application; keys and passwords are sealed beside them.
create table channel (
    app_no integer not null,
    channel_type text not null,
    document text not null,
    credentials_sealed blob,
    version integer not null,
    created_at integer not null,
    modified_at integer not null,
    modified_by text not null,
    primary key (app_no, channel_type)
) strict;

-- Segments, campaigns, journeys and templates: what exists, and its versions. `app_no` 0: account-wide. A version's
-- number is never given twice: `versions_made` is only ever raised.
create table resource (
    account_id text not null,
    region text not null,
    app_no integer not null,
    kind text not null,
    resource_id text not null,
    latest_version integer not null,
    active_version integer not null,
    versions_made integer not null,
    state text not null,
    due_at integer,
    created_at integer not null,
    modified_at integer not null,
    constraint resource_unique primary key (account_id, region, app_no, kind, resource_id)
) strict;
create index resource_due on resource (kind, state, due_at);

create table resource_version (
    account_id text not null,
    region text not null,
    app_no integer not null,
    kind text not null,
    resource_id text not null,
    version integer not null,
    document text not null,
    created_at integer not null,
    modified_at integer not null,
    primary key (account_id, region, app_no, kind, resource_id, version)
) strict;

-- Endpoints. Deleting empties the row (id, address, document) and keeps seq and rev, so that followers
-- see the deletion and bitmaps stay true. `rev` rises with every change; see `dialect.rs`. `active` repeats
-- the document's status for the index by which an address is taken over from its active holder.
create table endpoint (
    app_no integer not null,
    seq integer not null,
    endpoint_id text,
    user_id text,
    live integer not null,
    active integer not null,
    rev integer not null,
    effective_at integer not null,
    address_sealed blob,
    address_index blob,
    document text not null,
    primary key (app_no, seq)
) strict;
create unique index endpoint_id_unique on endpoint (app_no, endpoint_id);
create index endpoint_user on endpoint (app_no, user_id) where user_id is not null;
create index endpoint_address on endpoint (app_no, address_index) where active = 1;
create index endpoint_rev on endpoint (app_no, rev);

-- Users are documents of their own: all endpoints of a user share them.
create table app_user (
    app_no integer not null,
    user_id text not null,
    live integer not null,
    rev integer not null,
    document text not null,
    primary key (app_no, user_id)
) strict;
create index app_user_rev on app_user (app_no, rev);

-- Addresses that must not be sent to. `app_no` 0: in every application of the account. The address is
-- only here as a keyed index. Each reason has its own row: lifting one does not lift the others.
create table suppression (
    account_id text not null,
    channel_type text not null,
    address_index blob not null,
    app_no integer not null,
    reason text not null,
    suppressed_at integer not null,
    primary key (account_id, channel_type, address_index, app_no, reason)
) strict, without rowid;

-- Import and export jobs (`kind`). `resume` is where a restarted server goes on.
create table job (
    app_no integer not null,
    job_id text not null,
    kind text not null,
    segment_id text,
    finished integer not null,
    document text not null,
    resume text,
    created_at integer not null,
    primary key (app_no, job_id)
) strict;
create index job_unfinished on job (finished, kind);

-- Members of imported segments: a roaring bitmap of seq, and user ids as JSON.
create table segment_members (
    app_no integer not null,
    segment_id text not null,
    version integer not null,
    endpoints blob not null,
    users text not null,
    primary key (app_no, segment_id, version)
) strict;

-- Runs: one firing of a campaign. `recipients` (a roaring bitmap of seq) is the truth of who should be
-- reached; `pins` holds the versions and settings that it uses.
create table run (
    run_no integer primary key autoincrement,
    run_id text not null,
    app_no integer not null,
    campaign_id text not null,
    campaign_version integer not null,
    parent_run_id text,
    state text not null,
    detail text,
    scheduled_at integer not null,
    started_at integer not null,
    finished_at integer,
    deadline_at integer,
    total integer not null,
    treatment_totals text not null,
    holdout_total integer not null,
    pins text not null,
    recipients blob not null,
    constraint run_id_unique unique (run_id)
) strict;
create index run_campaign on run (app_no, campaign_id, run_no);
create index run_open on run (run_no) where finished_at is null;

-- Chunks of a run: the unit that is claimed. Everything up to `cursor_seq` has a ledger or retry row.
-- `token` fences off a worker whose lease was taken over.
create table chunk (
    run_no integer not null,
    chunk_no integer not null,
    first_seq integer not null,
    last_seq integer not null,
    cursor_seq integer,
    sending_to integer,
    done integer not null default 0,
    token integer not null default 0,
    epoch integer not null default 0,
    lease_until integer not null default 0,
    accepted_sketch blob,
    primary key (run_no, chunk_no)
) strict;
create index chunk_open on chunk (done, run_no, chunk_no);

-- Exactly one row per recipient of a run. `treatment` 255: holdout. `reason` as in `domain::delivery`.
create table ledger (
    run_no integer not null,
    seq integer not null,
    treatment integer not null,
    reason integer not null,
    attempts integer not null,
    at integer not null,
    provider_id text,
    detail text,
    primary key (run_no, seq)
) strict, without rowid;

-- Messages that wait for another try. `lease_until`: somebody is trying.
create table retry (
    run_no integer not null,
    seq integer not null,
    treatment integer not null,
    attempt integer not null,
    due_at integer not null,
    lease_until integer not null default 0,
    epoch integer not null default 0,
    detail text not null,
    primary key (run_no, seq)
) strict;
create index retry_due on retry (due_at);

-- Ledger rows by minute (minutes since 1970). `run_no` 0: direct messages. Each node (`writer`) adds to
-- its own rows; readers sum.
create table ledger_count (
    app_no integer not null,
    run_no integer not null,
    treatment integer not null,
    minute integer not null,
    reason integer not null,
    writer integer not null,
    count integer not null,
    primary key (app_no, run_no, treatment, minute, reason, writer)
) strict, without rowid;

-- Direct messages: the intent is committed before hand-over (`reason` null), the outcome behind it.
-- `context_sealed` are the client's facts, for the events about the message.
create table direct_message (
    message_id text primary key,
    app_no integer not null,
    request_id text not null,
    channel_type text not null,
    seq integer,
    address_index blob not null,
    intended_at integer not null,
    epoch integer not null,
    finished_at integer,
    reason integer,
    provider_id text,
    detail text,
    context_sealed blob
) strict;
create index direct_message_open on direct_message (intended_at) where reason is null;
create index direct_message_request on direct_message (request_id);

-- Requests to send that their clients may repeat, for a bounded time: a repeat is answered from here and
-- sends nothing. `results_sealed` null: under way or lost in a crash; then the messages with the same
-- `request_id` say what is known.
create table sent_request (
    account_id text not null,
    principal text not null,
    name text not null,
    app_no integer not null,
    fingerprint blob not null,
    request_id text not null,
    begun_at integer not null,
    epoch integer not null,
    results_sealed blob,
    primary key (account_id, principal, name)
) strict;
create index sent_request_begun on sent_request (begun_at);

-- One-time passwords that wait to be verified. Code, destination and reference are here only as keyed
-- hashes.
create table otp (
    app_no integer not null,
    subject_hash blob not null,
    salt blob not null,
    code_hash blob not null,
    attempts_left integer not null,
    expires_at integer not null,
    primary key (app_no, subject_hash)
) strict;
create index otp_expiry on otp (expires_at);

-- Plugins installed through the API; owner '' is the server.
create table plugin (
    owner text not null,
    name text not null,
    digest text not null,
    component blob not null,
    grants text not null,
    installed_at integer not null,
    primary key (owner, name)
) strict;

-- Small values of plugins, private to plugin and application.
create table plugin_value (
    app_id text not null,
    plugin text not null,
    name text not null,
    value_sealed blob not null,
    expires_at integer,
    primary key (app_id, plugin, name)
) strict;
create index plugin_value_expiry on plugin_value (expires_at) where expires_at is not null;
