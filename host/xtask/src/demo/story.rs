//! What happens, in order, as calls of the API.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::people::{self, Dice, READERS, REFUSED};
use super::readers::{self, Habit};
use super::screen::{Screen, grouped};
use super::server::{GLANCE, PATIENCE, Server};

/// What the pages need to know.
pub struct Told {
    /// The path of the campaign's report.
    pub report: String,
}

/// Subject and HTML of a treatment. `Attributes.hello` and the like come from the personalizer.
const LETTERS: [(&str, &str, &str); 2] = [
    (
        "Warm words",
        "{{Attributes.hello}} {{User.UserAttributes.FirstName.[0]}}, a long evening is coming",
        include_str!("letters/warm.html"),
    ),
    (
        "Straight to the shelf",
        "{{Attributes.offer}}: three books for autumn",
        include_str!("letters/short.html"),
    ),
];
const TEXT: &str = "{{Attributes.hello}} {{User.UserAttributes.FirstName.[0]}},\n\n{{Attributes.offer}}: \
    https://harbour-books.test/autumn\n\nUnsubscribe: {{UnsubscribeUrl}}\n";

/// How readers of each letter behave.
const HABITS: [Habit; 2] = [Habit { open: 46, click: 22 }, Habit { open: 31, click: 38 }];

/// Tells it.
pub fn tell(server: &Server, screen: &mut Screen) -> Result<Told> {
    screen.step("Creating an application with an e-mail channel");
    let app = create(server, "/v1/apps", &json!({ "Name": "Harbour Books" }))?;
    let path = format!("/v1/apps/{app}");
    let channel = json!({ "FromAddress": "Harbour Books <letters@harbour-books.test>", "Identity": "harbour-books.test" });
    server.call("PUT", &format!("{path}/channels/email"), Some(&channel))?;
    screen.say(&format!("application {app} of account {}", server.account()));

    screen.step(&format!(
        "Importing {} endpoints from a CSV in Pinpoint's format",
        grouped(READERS)
    ));
    import(server, screen, &path)?;

    screen.step("Reporting what readers did in the shop (PutEvents)");
    events(server, screen, &path)?;

    screen.step("Defining a segment: an interest AND a predicate component");
    let segment = segment(server, screen, &path)?;

    screen.step("Creating two templates in Pinpoint's Handlebars");
    for (number, (name, subject, html)) in LETTERS.into_iter().enumerate() {
        let template = json!({
            "Subject": subject,
            "HtmlPart": html,
            "TextPart": TEXT,
            "DefaultSubstitutions": "{\"User.UserAttributes.FirstName\": \"dear reader\"}",
        });
        server.call(
            "POST",
            &format!("/v1/templates/{}/email", template_name(number)),
            Some(&template),
        )?;
        screen.say(&format!("{name:22} {subject}"));
    }

    screen.step("Running a campaign: two treatments, a holdout of 10 %, a personalizer");
    let campaign = campaign(server, &path, &segment)?;
    let activities = follow(server, screen, &format!("{path}/campaigns/{campaign}"))?;
    outcomes(screen, &activities);

    screen.step("Readers open, click, and one unsubscribes");
    let mails = readers::mails(server)?;
    screen.say(&format!(
        "the outbox holds {} messages",
        grouped(mails.len() as u64)
    ));
    let offer = |mail: &Value| {
        mail["subject"]
            .as_str()
            .is_some_and(|subject| subject.contains(':'))
    };
    let done = readers::read(server, screen, &mails, |mail| HABITS[usize::from(offer(mail))])?;
    screen.say(&format!(
        "{} opened, {} clicked, and {} unsubscribed with one click",
        grouped(done.opens),
        grouped(done.clicks),
        done.unsubscribed
    ));

    screen.step("Reading the campaign's figures through the API");
    figures(
        server,
        screen,
        &format!("{path}/campaigns/{campaign}"),
        &activities,
        done.opens,
    )?;
    Ok(Told {
        report: format!("/console/apps/{app}/campaigns/{campaign}"),
    })
}

fn create(server: &Server, path: &str, body: &Value) -> Result<String> {
    let created = server.call("POST", path, Some(body))?;
    created["Id"]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("{path} answered no Id: {created}"))
}

fn template_name(number: usize) -> String {
    format!("autumn-letter-{}", ["warm", "short"][number])
}

/// Waits until `ready` gives something.
fn wait<T>(what: &str, mut ready: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let since = Instant::now();
    loop {
        if let Some(value) = ready()? {
            return Ok(value);
        }
        ensure!(since.elapsed() < PATIENCE, "{what} takes too long");
        sleep(GLANCE);
    }
}

fn import(server: &Server, screen: &Screen, path: &str) -> Result<()> {
    let file = server.imports().join("readers.csv");
    let csv = people::csv();
    fs::write(&file, &csv)?;
    let job = json!({
        "Format": "CSV",
        "RoleArn": "arn:aws:iam::000000000000:role/unused",
        "S3Url": format!("file://{}", file.display()),
        "DefineSegment": false,
    });
    let id = create(server, &format!("{path}/jobs/import"), &job)?;
    let total = READERS + REFUSED as u64;
    let job = wait("the import", || {
        let job = server.call("GET", &format!("{path}/jobs/import/{id}"), None)?;
        let over = matches!(job["JobStatus"].as_str(), Some("COMPLETED" | "FAILED"));
        screen.progress(
            job["TotalProcessed"]
                .as_u64()
                .unwrap_or(0)
                .min(total - u64::from(!over)),
            total,
            "lines",
        );
        Ok(over.then_some(job))
    })?;
    ensure!(
        job["JobStatus"] == "COMPLETED",
        "the import failed: {}",
        job["Failures"]
    );
    screen.say(&format!("{} lines were refused:", job["TotalFailures"]));
    for failure in job["Failures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        screen.say(&format!("  {failure}"));
    }
    Ok(())
}

/// Who looked at books and who bought some, in the last two months.
fn events(server: &Server, screen: &Screen, path: &str) -> Result<()> {
    /// Events of one request.
    const MOST: usize = 100;
    #[expect(clippy::disallowed_methods, reason = "the demo lives in the present")]
    let now = Timestamp::now();
    let mut batches: Vec<serde_json::Map<String, Value>> = vec![serde_json::Map::new()];
    let (mut in_batch, mut all) = (0, 0);
    for reader in 0..READERS {
        let mut dice = Dice::new(reader + 1_000_000);
        // Three of ten were never seen in the shop.
        let count = [0, 0, 0, 1, 1, 1, 2, 2, 3, 4][dice.below(10) as usize];
        let events: serde_json::Map<String, Value> = (0..count)
            .map(|number| {
                let kind = if dice.below(4) == 0 {
                    "_monetization.purchase"
                } else {
                    "book.viewed"
                };
                let age = Duration::from_secs(dice.below(60 * 24 * 3_600));
                (
                    number.to_string(),
                    json!({ "EventType": kind, "Timestamp": (now - age).to_string() }),
                )
            })
            .collect();
        if events.is_empty() {
            continue;
        }
        if in_batch + events.len() > MOST {
            batches.push(serde_json::Map::new());
            in_batch = 0;
        }
        in_batch += events.len();
        all += events.len() as u64;
        let batch = batches.last_mut().expect("there is always one");
        batch.insert(people::id(reader), json!({ "Endpoint": {}, "Events": events }));
    }
    let mut put = 0;
    for batch in batches {
        let count: usize = batch
            .values()
            .filter_map(|endpoint| Some(endpoint["Events"].as_object()?.len()))
            .sum();
        server.call(
            "POST",
            &format!("{path}/events"),
            Some(&json!({ "BatchItem": batch })),
        )?;
        put += count as u64;
        screen.progress(put, all, "events");
    }
    Ok(())
}

fn segment(server: &Server, screen: &Screen, path: &str) -> Result<String> {
    let score = json!({ "min": 0.4, "weights": { "book.viewed": 1, "_monetization.purchase": 5 } });
    let interests = ["crime", "history", "sea stories", "travel"];
    let segment = json!({
        "Name": "Seafarers who still come by",
        "Dimensions": {
            "Attributes": {
                "interests": { "AttributeType": "INCLUSIVE", "Values": interests },
                "plugin:engagement-score": { "AttributeType": "INCLUSIVE", "Values": [score.to_string()] },
            },
        },
    });
    let id = create(server, &format!("{path}/segments"), &segment)?;
    screen.say(&format!("interests is one of {}", interests.join(", ")));
    screen.say(&format!("plugin:engagement-score with {score}"));
    Ok(id)
}

fn campaign(server: &Server, path: &str, segment: &str) -> Result<String> {
    let content = json!({
        "default": "en",
        "content": {
            "en": { "hello": "Good evening", "offer": "New on the shelf" },
            "de": { "hello": "Guten Abend", "offer": "Neu im Regal" },
            "es": { "hello": "Buenas noches", "offer": "Novedades" },
            "fr": { "hello": "Bonsoir", "offer": "Nouveautés" },
            "ja": { "hello": "こんばんは", "offer": "新刊" },
            "pl": { "hello": "Dobry wieczór", "offer": "Nowości na półce" },
            "zh": { "hello": "晚安", "offer": "新書上架" },
        },
    });
    let treatment = |number: usize| json!({ "EmailTemplate": { "Name": template_name(number) } });
    let campaign = json!({
        "Name": "Autumn letter",
        "SegmentId": segment,
        "Schedule": { "StartTime": "IMMEDIATE" },
        "TreatmentName": LETTERS[0].0,
        "TemplateConfiguration": treatment(0),
        "AdditionalTreatments": [
            { "TreatmentName": LETTERS[1].0, "SizePercent": 45, "TemplateConfiguration": treatment(1) },
        ],
        "HoldoutPercent": 10,
        "Hook": { "Mode": "FILTER", "LambdaFunctionName": format!("plugin:best-content-by-locale?{content}") },
    });
    create(server, &format!("{path}/campaigns"), &campaign)
}

/// Shows the campaign's progress until it is over, and gives its activities, one for each treatment.
fn follow(server: &Server, screen: &Screen, path: &str) -> Result<Vec<Value>> {
    let began = Instant::now();
    let (activities, total) = wait("the campaign", || {
        let campaign = server.call("GET", path, None)?;
        let status = campaign["State"]["CampaignStatus"].as_str().unwrap_or_default();
        let answer = server.call("GET", &format!("{path}/activities"), None)?;
        let activities = answer["Item"].as_array().cloned().unwrap_or_default();
        ensure!(status != "INVALID", "the campaign cannot run: {}", answer);
        let sum = |of: fn(&Value) -> u64| activities.iter().map(of).sum::<u64>();
        let total = sum(|activity| activity["TotalEndpointCount"].as_u64().unwrap_or(0)) + sum(holdout);
        let done = sum(accepted) + sum(|activity| reasons(activity).map(|(_, count)| count).sum());
        let over = status == "COMPLETED";
        if total > 0 && !over {
            screen.progress(done.min(total - 1), total, "recipients have an outcome");
        }
        Ok(over.then_some((activities, total)))
    })?;
    let seconds = began.elapsed().max(Duration::from_millis(1)).as_secs_f64();
    screen.progress(
        total,
        total,
        &format!("recipients have an outcome, in {seconds:.1} s"),
    );
    Ok(activities)
}

fn accepted(activity: &Value) -> u64 {
    activity["SuccessfulEndpointCount"].as_u64().unwrap_or(0)
}

/// Why recipients got nothing, and how many.
fn reasons(activity: &Value) -> impl Iterator<Item = (&str, u64)> {
    let metrics = activity["ExecutionMetrics"].as_object().into_iter().flatten();
    metrics.map(|(reason, count)| {
        (
            reason.as_str(),
            count.as_str().and_then(|count| count.parse().ok()).unwrap_or(0),
        )
    })
}

fn holdout(activity: &Value) -> u64 {
    reasons(activity)
        .find(|(reason, _)| *reason == "TREATMENT_HOLDOUT")
        .map_or(0, |(_, count)| count)
}

/// What became of whom, over all treatments.
fn outcomes(screen: &Screen, activities: &[Value]) {
    let mut all: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for activity in activities {
        *all.entry("accepted by the relay").or_default() += accepted(activity);
        for (reason, count) in reasons(activity) {
            *all.entry(reason).or_default() += count;
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in all {
        screen.say(&format!("{reason:26} {:>6}", grouped(count)));
    }
}

/// The figures of both treatments, side by side, once the last open is counted.
fn figures(server: &Server, screen: &Screen, path: &str, activities: &[Value], opens: u64) -> Result<()> {
    const GROUPED: &str = "-grouped-by-campaign-activity";
    let rows_of = |name: &str| -> Result<Vec<Value>> {
        let answer = server.call("GET", &format!("{path}/kpis/daterange/{name}{GROUPED}"), None)?;
        Ok(answer["KpiResult"]["Rows"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    };
    let value = |rows: &[Value], activity: &Value| -> f64 {
        let row = rows
            .iter()
            .find(|row| row["GroupedBys"][0]["Value"] == activity["Id"]);
        row.and_then(|row| row["Values"][0]["Value"].as_str()?.parse().ok())
            .unwrap_or(0.0)
    };
    wait("counting the opens", || {
        let rows = rows_of("direct-email-opens")?;
        let counted: f64 = activities.iter().map(|activity| value(&rows, activity)).sum();
        Ok((counted >= opens as f64).then_some(()))
    })?;
    // The campaign's own message is treatment 0.
    let mut ordered: Vec<&Value> = activities.iter().collect();
    ordered.sort_by_key(|activity| activity["TreatmentId"] != "0");
    let mut table = Vec::new();
    for name in [
        "attempted-deliveries",
        "successful-deliveries",
        "successful-delivery-rate",
        "hard-bounce-rate",
        "unique-deliveries",
        "direct-email-opens",
        "email-open-rate",
        "clicks",
    ] {
        let rows = rows_of(name)?;
        let cells = ordered.iter().map(|activity| {
            let value = value(&rows, activity);
            if name.ends_with("-rate") {
                format!("{:.1} %", value * 100.0)
            } else {
                grouped(value.round() as u64)
            }
        });
        table.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    screen.table(&["", LETTERS[0].0, LETTERS[1].0], &table);
    Ok(())
}
