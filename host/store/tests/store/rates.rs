//! What the store can do per second of processor time on an embedded database. Not a test of anything: run
//! it in release, by name, with `--ignored --nocapture`.

use std::time::{Duration, Instant};

use pinion_domain::clock::Clock as _;
use pinion_domain::delivery::Reason;
use pinion_domain::event::types;
use pinion_store::testing::{Place, app, each_place};
use pinion_store::{BatchCommit, Lane, LedgerRow, NewEvent, NewRun, Upsert};
use serde_json::json;

/// Seconds of processor time that this process used.
fn used() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

struct Measure(&'static str, Instant, f64);

impl Measure {
    fn start(what: &'static str) -> Self {
        Self(what, Instant::now(), used())
    }

    fn end(self, rows: u32) {
        let (wall, cpu) = (self.1.elapsed().as_secs_f64(), used() - self.2);
        let rows = f64::from(rows);
        eprintln!("{}: {:.0}/s, {:.0}/cpu-s", self.0, rows / wall, rows / cpu);
    }
}

#[tokio::test]
#[ignore = "measures"]
async fn rates() {
    each_place(async |place: &Place, clock| {
        let store = place.open(&clock).await;
        let app = app(&store).await;
        let measure = Measure::start("endpoints, new, 1000 per call");
        for call in 0..50_u32 {
            store
                .upsert_endpoints(&app, Lane::Bulk, upserts(call))
                .await
                .unwrap();
        }
        measure.end(50_000);
        let measure = Measure::start("endpoints, again, 1000 per call");
        for call in 0..20_u32 {
            store
                .upsert_endpoints(&app, Lane::Bulk, upserts(call))
                .await
                .unwrap();
        }
        measure.end(20_000);
        let measure = Measure::start("endpoints_by_seq, 1000 per call");
        for call in 0..50_u32 {
            let seqs: Vec<u32> = (call * 1000..(call + 1) * 1000).collect();
            assert_eq!(store.endpoints_by_seq(&app, &seqs).await.unwrap().len(), 1000);
        }
        measure.end(50_000);
        let run = NewRun {
            id: "r".into(),
            campaign: "c".into(),
            campaign_version: 1,
            scheduled: clock.now(),
            parent: None,
            pins: json!({}),
            recipients: (0..300_000).collect(),
            treatment_totals: vec![300_000],
            holdout_total: 0,
            chunk_size: 10_000,
            deadline: None,
        };
        store.create_run(&app, run).await.unwrap();
        let measure = Measure::start("ledger rows, 1000 per commit");
        while let Some((app, chunk)) = store.claim_chunk(Duration::from_secs(60)).await.unwrap() {
            for first in (chunk.first_seq..chunk.last_seq).step_by(1000) {
                let rows = (first..first + 1000).map(|seq| LedgerRow {
                    seq,
                    treatment: 0,
                    reason: Reason::Accepted,
                    at: clock.now(),
                    provider_id: Some(format!("0100018c-{seq:08}")),
                    detail: None,
                    attempts: 1,
                });
                let (cursor, rows) = (first + 999, rows.collect());
                let commit = BatchCommit {
                    cursor,
                    done: cursor >= chunk.last_seq,
                    rows,
                    ..BatchCommit::default()
                };
                store.commit_batch(&app, &chunk, commit).await.unwrap();
            }
        }
        measure.end(300_000);
        let measure = Measure::start("events, 1000 per call");
        for call in 0..100_u32 {
            let events = (0..1000_u32).map(|number| NewEvent {
                app_no: app.no,
                seq: Some((call * 1000 + number).wrapping_mul(2_654_435_761) % 300_000),
                event_type: if number % 4 == 0 {
                    types::CLICK
                } else {
                    types::OPEN
                }
                .to_owned(),
                at: clock.now(),
                key: None,
                run_no: 1,
                treatment: 0,
                message_id: Some(format!("{:032x}", call * 1000 + number).into()),
                document: json!({ "link": "https://example.com/a/rather/usual/link?of=some&length=yes",
                                  "agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0" }),
            });
            store.append_events(Lane::Bulk, events.collect()).await.unwrap();
        }
        measure.end(100_000);
        store.close().await;
    })
    .await;
}

fn upserts(call: u32) -> Vec<Upsert> {
    (0..1000_u32)
        .map(|number| {
            let number = call * 1000 + number;
            let scattered = number.wrapping_mul(2_654_435_761);
            let request = json!({
                "ChannelType": "EMAIL", "Address": format!("person{scattered}@example.com"),
                "Attributes": { "plan": ["free"], "likes": ["tea", "cake"], "city": [format!("city {}", number % 1000)],
                                "a": ["some value"], "b": ["another value"], "c": ["x"] },
                "Metrics": { "age": 30, "visits": number % 100, "spent": 12.5 },
                "Demographic": { "Locale": "pl_PL", "Timezone": "Europe/Warsaw", "Make": "Fairphone" },
                "Location": { "Country": "PL", "City": "Łódź" },
                "User": { "UserId": format!("user-{scattered}"), "UserAttributes": { "since": ["2020"], "tier": ["gold"] } },
            });
            Upsert { id: format!("{scattered:032x}").as_str().into(), request: serde_json::from_value(request).unwrap() }
        })
        .collect()
}
