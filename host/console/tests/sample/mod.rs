//! Reports to draw: one in full swing, one that never ran, and one with names that bite.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use pinion_console::pages::report::{
    Item, Minute, ReasonCount, Report, ReportSource, Run, SourceError, Treatment,
};
use pinion_domain::delivery::Reason;
use pinion_domain::id::{AppId, CampaignId};

pub const APP: &str = "0f0e0d0c0b0a09080706050403020100";
pub const BITING: &str = "<script>alert('x')</script>\"&";

/// Reports without a store.
pub struct Sample;

#[async_trait]
impl ReportSource for Sample {
    async fn apps(&self) -> Result<Vec<Item>, SourceError> {
        Ok(vec![item(APP, "Shop", ""), item("empty", "Nothing yet", "")])
    }

    async fn campaigns(&self, app: &AppId) -> Result<Vec<Item>, SourceError> {
        if app.as_str() != APP {
            return Ok(vec![]);
        }
        Ok(vec![
            item("autumn", "Autumn in Zürich – 秋の新作", "EXECUTING"),
            item("draft", "Not yet", "SCHEDULED"),
            item("biting", BITING, "COMPLETED"),
        ])
    }

    async fn report(&self, app: &AppId, campaign: &CampaignId) -> Result<Option<Report>, SourceError> {
        let report = match (app.as_str(), campaign.as_str()) {
            (APP, "autumn") => running(),
            (APP, "draft") => empty("draft", "Not yet"),
            (APP, "biting") => biting(),
            (APP, "broken") => return Err(SourceError("the disk is on fire".into())),
            _ => return Ok(None),
        };
        Ok(Some(report))
    }
}

fn item(id: &str, name: &str, status: &str) -> Item {
    Item {
        id: id.to_owned(),
        name: name.to_owned(),
        status: status.to_owned(),
    }
}

fn empty(id: &str, name: &str) -> Report {
    Report {
        app_id: APP.to_owned(),
        app_name: "Shop".to_owned(),
        campaign_id: id.to_owned(),
        campaign_name: name.to_owned(),
        status: "SCHEDULED".to_owned(),
        runs: vec![],
        reasons: vec![],
        treatments: vec![],
        timeline: vec![],
    }
}

fn reason(reason: Reason, count: u64) -> ReasonCount {
    ReasonCount {
        reason: reason.as_str().to_owned(),
        outcome: reason.outcome(),
        count,
    }
}

fn running() -> Report {
    let start: Timestamp = "2026-11-23T15:04:00Z".parse().unwrap();
    let timeline = (0..42_u64).map(|n| {
        let sending = n < 26 && n != 11;
        let swing = (n * 37 % 11) * 60;
        Minute {
            minute: start + SignedDuration::from_mins(n as i64),
            accepted: if sending { 4800 + swing } else { 0 },
            failed: if sending { 60 + n * 7 % 50 } else { 0 },
            skipped: if sending { 240 + swing / 4 } else { 0 },
            opened: if n > 0 {
                900 * (n.min(20)) / 12 + swing / 3
            } else {
                12
            },
            clicked: if n > 1 {
                160 * (n.min(24)) / 20 + swing / 9
            } else {
                0
            },
        }
    });
    Report {
        status: "EXECUTING".to_owned(),
        runs: vec![Run {
            id: "9b1d".to_owned(),
            status: "RUNNING".to_owned(),
            total: 200_000,
            done: 142_311,
            started: Some(start),
            rate: 86.4,
            eta: Some(668),
        }],
        reasons: vec![
            reason(Reason::EndpointOptOut, 5204),
            reason(Reason::Accepted, 126_904),
            reason(Reason::HardBounce, 1377),
            reason(Reason::SuppressedUnsubscribed, 842),
            reason(Reason::RenderingFailure, 31),
            reason(Reason::TreatmentHoldout, 7820),
            reason(Reason::RetriesExhausted, 122),
            reason(Reason::Unknown, 11),
        ],
        treatments: vec![
            Treatment {
                name: "Main".to_owned(),
                total: 72_000,
                accepted: 64_012,
                failed: 770,
                skipped: 3109,
                opens: 31_480,
                unique_opens: 21_877,
                clicks: 5410,
                unique_clicks: 3902,
                unsubscribes: 77,
            },
            Treatment {
                name: "Short subject".to_owned(),
                total: 70_311,
                accepted: 62_892,
                failed: 740,
                skipped: 2968,
                opens: 38_002,
                unique_opens: 25_770,
                clicks: 5122,
                unique_clicks: 3570,
                unsubscribes: 92,
            },
        ],
        timeline: timeline.collect(),
        ..empty("autumn", "Autumn in Zürich – 秋の新作")
    }
}

fn biting() -> Report {
    let mut report = running();
    report.app_name = BITING.to_owned();
    report.campaign_id = "biting".to_owned();
    report.campaign_name = BITING.to_owned();
    report.status = BITING.to_owned();
    report.runs[0].status = BITING.to_owned();
    report.reasons[0].reason = BITING.to_owned();
    report.treatments[0].name = BITING.to_owned();
    report
}
