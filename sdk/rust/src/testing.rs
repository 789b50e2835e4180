//! A host for unit tests: what a plugin calls is answered by a script and written down.
//!
//! Every test has its own host, for it belongs to the thread:
//!
//! ```
//! use pinion_sdk::http::{Request, Response};
//! use pinion_sdk::testing::{Host, block_on};
//!
//! let host = Host::new();
//! host.on_fetch(|_| Ok(Response { status: 204, headers: vec![], body: vec![] }));
//! let response = block_on(Request::get("https://api.example.com/").send()).unwrap();
//! assert_eq!(response.status, 204);
//! assert_eq!(host.requests()[0].url, "https://api.example.com/");
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::bindings::channel::pinion::host::http::{self, Request};
use crate::bindings::channel::pinion::host::{log, smtp};
use crate::channel::{Channel, Message, Outcome};
use crate::columns::{Column, ColumnData, Dictionary, Rows, TextCells};
use crate::personalizer::{self, Personalizer};
use crate::predicate::{Evaluation, Predicate};
use crate::{Address, settings};

type Fetch = Rc<dyn Fn(&Request) -> Result<http::Response, http::Error>>;
type Submit = Rc<dyn Fn(&Submission) -> Result<smtp::Acceptance, smtp::Error>>;
type Probe = Rc<dyn Fn(&smtp::Relay) -> Result<(), smtp::Error>>;

/// A message that was handed to a relay.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Which relay.
    pub relay: smtp::Relay,
    /// From and to.
    pub envelope: smtp::Envelope,
    /// RFC 5322 text.
    pub message: Vec<u8>,
    /// The delivery id.
    pub delivery: String,
}

#[derive(Default)]
struct State {
    fetch: Option<Fetch>,
    submit: Option<Submit>,
    probe: Option<Probe>,
    settings: String,
    values: BTreeMap<String, Vec<u8>>,
    requests: Vec<Request>,
    submissions: Vec<Submission>,
    reports: Vec<(String, Outcome)>,
    lines: Vec<(log::Level, String)>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// The host of this thread. What is not scripted is denied.
#[derive(Debug)]
pub struct Host(());

impl Host {
    /// A host that has seen nothing yet.
    #[expect(clippy::new_without_default, reason = "it replaces the host of this thread")]
    pub fn new() -> Self {
        STATE.set(State::default());
        Self(())
    }

    /// Answers HTTP requests.
    pub fn on_fetch(&self, answer: impl Fn(&Request) -> Result<http::Response, http::Error> + 'static) {
        STATE.with_borrow_mut(|state| state.fetch = Some(Rc::new(answer)));
    }

    /// Answers messages to a relay.
    pub fn on_submit(&self, answer: impl Fn(&Submission) -> Result<smtp::Acceptance, smtp::Error> + 'static) {
        STATE.with_borrow_mut(|state| state.submit = Some(Rc::new(answer)));
    }

    /// Answers probes of a relay.
    pub fn on_probe(&self, answer: impl Fn(&smtp::Relay) -> Result<(), smtp::Error> + 'static) {
        STATE.with_borrow_mut(|state| state.probe = Some(Rc::new(answer)));
    }

    /// Sends a batch through a channel with these settings, as the host would: settings that do not fit
    /// refuse every message.
    pub fn send<C: Channel>(&self, settings: &serde_json::Value, batch: Vec<Message>) -> Vec<Outcome> {
        block_on(crate::channel::send(&self.open::<C>(settings), batch))
    }

    /// Asks a channel with these settings what is wrong.
    pub fn check<C: Channel>(&self, settings: &serde_json::Value) -> Vec<crate::Problem> {
        block_on(crate::channel::check(&self.open::<C>(settings)))
    }

    fn open<C: Channel>(&self, settings: &serde_json::Value) -> Result<C, String> {
        STATE.with_borrow_mut(|state| state.settings = settings.to_string());
        crate::channel::open()
    }

    /// The HTTP requests so far.
    pub fn requests(&self) -> Vec<Request> {
        STATE.with_borrow(|state| state.requests.clone())
    }

    /// The messages handed to relays so far.
    pub fn submissions(&self) -> Vec<Submission> {
        STATE.with_borrow(|state| state.submissions.clone())
    }

    /// What was reported so far, by delivery id, in order.
    pub fn reports(&self) -> Vec<(String, Outcome)> {
        STATE.with_borrow(|state| state.reports.clone())
    }

    /// The lines logged so far.
    pub fn lines(&self) -> Vec<(log::Level, String)> {
        STATE.with_borrow(|state| state.lines.clone())
    }
}

/// A message to `nina@example.com` with subject, text and HTML, to be changed by the test.
pub fn message(delivery_id: &str) -> Message {
    Message {
        delivery_id: delivery_id.to_owned(),
        attempt: 1,
        to: Address {
            kind: "EMAIL".to_owned(),
            value: "nina@example.com".to_owned(),
        },
        from: Some("shop@example.com".to_owned()),
        reply_to: Vec::new(),
        parts: vec![
            crate::Part::Subject("Hello".to_owned()),
            crate::Part::Text("Hello, Nina".to_owned()),
            crate::Part::Html("<p>Hello, Nina</p>".to_owned()),
        ],
        headers: Vec::new(),
        metadata: Vec::new(),
    }
}

/// Runs a future to its end. Panics if it waits for something that nobody will bring.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("the future waits for ever");
}

/// Rows for tests of predicates and personalizers: one call a column, in the order of the inputs.
#[derive(Clone, Debug)]
pub struct Table {
    now: i64,
    rows: Rows,
    dictionaries: Vec<Dictionary>,
    texts: Vec<(usize, TextCells)>,
}

impl Table {
    /// No columns yet; `now` is microseconds since 1970.
    pub fn new(now: i64) -> Self {
        Self {
            now,
            rows: Rows {
                count: 0,
                columns: Vec::new(),
            },
            dictionaries: Vec::new(),
            texts: Vec::new(),
        }
    }

    fn push<T>(mut self, cells: &[Option<T>], data: ColumnData) -> Self {
        let count = u32::try_from(cells.len()).expect("a test has few rows");
        assert!(
            self.rows.columns.is_empty() || self.rows.count == count,
            "columns have as many cells as there are rows"
        );
        self.rows.count = count;
        // As the host does it: no bitmap where nothing is missing.
        let gaps = cells.iter().any(Option::is_none);
        let mut valid = vec![0; if gaps { cells.len().div_ceil(8) } else { 0 }];
        for (byte, cells) in valid.iter_mut().zip(cells.chunks(8)) {
            for (bit, cell) in cells.iter().enumerate() {
                *byte |= u8::from(cell.is_some()) << bit;
            }
        }
        self.rows.columns.push(Column { data, valid });
        self
    }

    /// A text column; an empty list is a missing value.
    pub fn text(mut self, cells: &[&[&str]]) -> Self {
        let mut entries: Vec<&[&str]> = vec![&[]];
        let codes = cells
            .iter()
            .map(|cell| {
                let known = entries.iter().position(|entry| entry == cell);
                let code = known.unwrap_or_else(|| {
                    entries.push(cell);
                    entries.len() - 1
                });
                u32::try_from(code).expect("a test has few rows")
            })
            .collect();
        let mut starts = vec![0];
        for entry in &entries {
            starts.push(starts[starts.len() - 1] + u32::try_from(entry.len()).expect("a test has few rows"));
        }
        self.dictionaries.push(Dictionary {
            starts,
            values: packed(entries.iter().flat_map(|entry| entry.iter().copied())),
        });
        let firsts = cells.iter().map(|cell| cell.first().copied().unwrap_or_default());
        self.texts.push((self.rows.columns.len(), packed(firsts)));
        let present: Vec<Option<()>> = cells.iter().map(|cell| cell.first().map(|_| ())).collect();
        self.push(&present, ColumnData::Codes(codes))
    }

    /// A number column.
    pub fn number(self, cells: &[Option<f64>]) -> Self {
        let data = ColumnData::Number(cells.iter().map(|cell| cell.unwrap_or_default()).collect());
        self.push(cells, data)
    }

    /// An integer column.
    pub fn integer(self, cells: &[Option<i64>]) -> Self {
        let data = ColumnData::Integer(cells.iter().map(|cell| cell.unwrap_or_default()).collect());
        self.push(cells, data)
    }

    /// A column of microseconds since 1970.
    pub fn instant(self, cells: &[Option<i64>]) -> Self {
        let data = ColumnData::Instant(cells.iter().map(|cell| cell.unwrap_or_default()).collect());
        self.push(cells, data)
    }

    /// Which rows a predicate with these settings selects.
    pub fn matches<P: Predicate>(&self, settings: &serde_json::Value) -> Result<Vec<bool>, String> {
        let predicate = P::new(settings::read(&settings.to_string())?)?;
        let bits = Evaluation::of(predicate, self.now, self.dictionaries.clone()).evaluate(&self.rows);
        Ok((0..self.rows.count as usize)
            .map(|row| bits[row / 8] >> (row % 8) & 1 == 1)
            .collect())
    }

    /// What a personalizer with these settings fills in: for each row the text of each output, or `None`
    /// for a row that it drops. Other kinds than text are written out in decimal.
    pub fn fill<P: Personalizer>(
        &self,
        settings: &serde_json::Value,
    ) -> Result<Vec<Option<Vec<Option<String>>>>, String> {
        let personalizer: P = personalizer::open(&settings.to_string())?;
        let mut rows = self.rows.clone();
        for (column, cells) in &self.texts {
            rows.columns[*column].data = ColumnData::Text(cells.clone());
        }
        let result = personalizer::personalize(&personalizer, self.now, &rows);
        let bit = |bits: &[u8], row: usize| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1);
        let cell = |column: &Column, row: usize| {
            bit(&column.valid, row).then(|| match &column.data {
                ColumnData::Text(cells) => {
                    let range = cells.offsets[row] as usize..cells.offsets[row + 1] as usize;
                    String::from_utf8_lossy(&cells.bytes[range]).into_owned()
                }
                ColumnData::Number(cells) => cells[row].to_string(),
                ColumnData::Integer(cells) | ColumnData::Instant(cells) => cells[row].to_string(),
                ColumnData::Codes(_) => panic!("a personalizer gives no codes"),
            })
        };
        Ok((0..rows.count as usize)
            .map(|row| {
                let cells = || result.columns.iter().map(|column| cell(column, row)).collect();
                (!bit(&result.drop, row)).then(cells)
            })
            .collect())
    }
}

fn packed<'a>(cells: impl Iterator<Item = &'a str>) -> TextCells {
    let mut packed = TextCells {
        offsets: vec![0],
        bytes: Vec::new(),
    };
    for cell in cells {
        packed.bytes.extend_from_slice(cell.as_bytes());
        packed
            .offsets
            .push(u32::try_from(packed.bytes.len()).expect("a test has little text"));
    }
    packed
}

/// The host's functions, with the signatures of the generated imports.
pub(crate) mod host {
    use super::{Outcome, Request, STATE, Submission, http, log, smtp};
    use crate::bindings::channel::pinion::host::kv;
    use crate::channel::{Receipt, SendError};

    /// Lets the others of a batch go first, as waiting for a network would.
    async fn wait() {
        let mut waited = false;
        std::future::poll_fn(move |context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }

    pub fn settings() -> String {
        STATE.with_borrow(|state| state.settings.clone())
    }

    pub fn log(level: log::Level, message: &str) {
        STATE.with_borrow_mut(|state| state.lines.push((level, message.to_owned())));
    }

    pub fn report(delivery_id: &str, outcome: Result<&Receipt, &SendError>) {
        let outcome: Outcome = outcome.cloned().map_err(Clone::clone);
        STATE.with_borrow_mut(|state| state.reports.push((delivery_id.to_owned(), outcome)));
    }

    pub async fn fetch(request: Request) -> Result<http::Response, http::Error> {
        wait().await;
        let answer = STATE.with_borrow_mut(|state| {
            state.requests.push(request.clone());
            state.fetch.clone()
        });
        match answer {
            Some(answer) => answer(&request),
            None => Err(http::Error::Denied("the test expects no request".to_owned())),
        }
    }

    pub async fn submit(
        relay: smtp::Relay,
        envelope: smtp::Envelope,
        message: Vec<u8>,
        delivery: String,
    ) -> Result<smtp::Acceptance, smtp::Error> {
        wait().await;
        let submission = Submission {
            relay,
            envelope,
            message,
            delivery,
        };
        let answer = STATE.with_borrow_mut(|state| {
            state.submissions.push(submission.clone());
            state.submit.clone()
        });
        match answer {
            Some(answer) => answer(&submission),
            None => Err(smtp::Error::Denied("the test expects no mail".to_owned())),
        }
    }

    pub async fn probe(relay: smtp::Relay) -> Result<(), smtp::Error> {
        wait().await;
        match STATE.with_borrow(|state| state.probe.clone()) {
            Some(answer) => answer(&relay),
            None => Err(smtp::Error::Denied("the test expects no probe".to_owned())),
        }
    }

    pub async fn get(key: String) -> Result<Option<Vec<u8>>, kv::Error> {
        wait().await;
        Ok(STATE.with_borrow(|state| state.values.get(&key).cloned()))
    }

    pub async fn set(key: String, value: Vec<u8>, _ttl_seconds: u32) -> Result<(), kv::Error> {
        wait().await;
        STATE.with_borrow_mut(|state| state.values.insert(key, value));
        Ok(())
    }
}
