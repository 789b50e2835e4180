"""The conditions of `cargo xtask bench audience` in DuckDB, on the same data, with one thread.

Columns with few values are ENUMs, so that they are compared as numbers; the database is a file, so that its columns
are compressed as DuckDB does it. Each query is asked until it has run for a while; the median counts.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import duckdb

ENUMS = ["plan", "language", "channel", "platform", "make", "version", "country", "tier"]
AT_LEAST_RUNS, AT_LEAST_SECONDS = 5, 0.5

folder = Path(sys.argv[1])
db = duckdb.connect(str(folder / "peer.duckdb"), config={"threads": 1, "preserve_insertion_order": True})
began = time.process_time()
endpoints = f"read_csv('{folder}/endpoints.csv', header = true, all_varchar = true)"
for column in ENUMS:
    db.execute(
        f"create type {column}_type as enum (select distinct {column} from {endpoints} where {column} is not null)"
    )
db.execute(
    f"""create table endpoint as select seq::integer as seq,
        {", ".join(f"{column}::{column}_type as {column}" for column in ENUMS)},
        city, string_split(interests, '|') as interests, code, signup::date as signup, order_id,
        score::double as score, orders::double as orders, spent::double as spent,
        latitude::double as latitude, longitude::double as longitude, effective::bigint as effective
        from {endpoints}"""
)
db.execute("create type event_type as enum ('_email.open', '_email.click', '_monetization.purchase')")
db.execute(
    f"""create table event as select type::event_type as type, seq, happened from
        read_csv('{folder}/events.csv', header = true,
                 columns = {{'type': 'varchar', 'seq': 'integer', 'happened': 'bigint'}})"""
)
db.execute("checkpoint")
loaded = time.process_time() - began

answers = []
for query in json.loads((folder / "queries.json").read_text()):
    times, count = [], None
    while len(times) < AT_LEAST_RUNS or sum(times) < AT_LEAST_SECONDS:
        began = time.perf_counter()
        (count,) = db.execute(query).fetchone()
        times.append(time.perf_counter() - began)
    answers.append({"count": count, "seconds": statistics.median(times)})
bytes_held = (folder / "peer.duckdb").stat().st_size
print(json.dumps({"version": duckdb.__version__, "load": loaded, "bytes": bytes_held, "answers": answers}))
