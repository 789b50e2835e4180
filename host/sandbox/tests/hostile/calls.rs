//! Calls a plugin as a case says, and compares.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pinion_domain::extension::channel::{OutgoingMessage, Verdict};
use pinion_domain::extension::columns::Rows;
use pinion_domain::extension::{Binding, Caller, Grant, PluginError, Plugins as _};
use pinion_sandbox::Sandbox;

use crate::case::{Answer, Call, Export, Message};
use crate::support;

/// A plugin and what it may reach.
pub struct Target<'a> {
    pub sandbox: &'a Arc<Sandbox>,
    pub plugin: &'a str,
    pub grants: Vec<Grant>,
    pub port: u16,
}

/// What calls came to.
#[derive(Default)]
pub struct Tally {
    /// Calls or messages that ended with a fault.
    pub faults: usize,
    /// What differs from what the case says.
    pub problems: Vec<String>,
}

impl Target<'_> {
    /// Makes one call of the case, as often as it says.
    pub async fn call(&self, call: &Call, tally: &mut Tally) {
        for _ in 0..call.times {
            let began = Instant::now();
            let ended = join_all((0..call.at_once).map(|_| self.once(call))).await;
            for (faults, problems) in ended {
                tally.faults += faults;
                tally.problems.extend(problems);
            }
            let took = began.elapsed();
            if call
                .within_ms
                .is_some_and(|most| took > Duration::from_millis(most))
            {
                tally.problems.push(format!("took {took:?}"));
            }
        }
    }

    async fn once(&self, call: &Call) -> (usize, Vec<String>) {
        let caller = Caller {
            account: support::caller().account,
            app: call.app.as_deref().unwrap_or("hostile").into(),
        };
        if call.export == Export::Send {
            return self.send(&caller, call).await;
        }
        let result = match call.export {
            Export::Send | Export::Check => self.check(&caller, call).await,
            Export::Inputs => self.inputs(&caller, call).await,
            Export::Evaluate => self.evaluate(&caller, call).await,
            Export::Personalize => self.personalize(&caller, call).await,
        };
        let (answer, words) = match result {
            Ok(words) => (Answer::Ok, words),
            Err(error @ PluginError::Fault { .. }) => (Answer::Fault, error.to_string()),
            Err(error) => (Answer::Failed, error.to_string()),
        };
        let mut problems = Vec::new();
        let wanted = call.gets.expect("a call that is no `send` says what it gets");
        if answer != wanted || !words.contains(&call.says) {
            problems.push(format!("{:?}: {answer:?}: {words}", call.export));
        }
        (usize::from(answer == Answer::Fault), problems)
    }

    fn settings(&self, call: &Call) -> String {
        let settings = call
            .settings
            .as_ref()
            .map_or_else(|| "{}".to_owned(), ToString::to_string);
        self.filled(&settings)
    }

    fn filled(&self, text: &str) -> String {
        text.replace("{{web}}", &format!("http://127.0.0.1:{}", self.port))
            .replace("\"{{port}}\"", &self.port.to_string())
            .replace("{{port}}", &self.port.to_string())
    }

    fn binding(&self, call: &Call) -> Binding {
        Binding {
            plugin: self.plugin.to_owned(),
            settings: serde_json::from_str(&self.settings(call)).expect("settings are JSON"),
            grants: self.grants.clone(),
        }
    }

    async fn check(&self, caller: &Caller, call: &Call) -> Result<String, PluginError> {
        let channel = self.sandbox.channel(caller, &self.binding(call)).await?;
        Ok(format!("{:?}", channel.check().await?))
    }

    async fn inputs(&self, caller: &Caller, call: &Call) -> Result<String, PluginError> {
        let settings = self.settings(call);
        let predicate = self.sandbox.predicate(caller, self.plugin, &settings).await?;
        Ok(format!("{} columns", predicate.inputs().len()))
    }

    async fn evaluate(&self, caller: &Caller, call: &Call) -> Result<String, PluginError> {
        let settings = self.settings(call);
        let predicate = self.sandbox.predicate(caller, self.plugin, &settings).await?;
        let rows = call.rows;
        let evaluate = move || {
            let rows = || Rows {
                count: rows,
                columns: Vec::new(),
            };
            let first = predicate.begin(0, Vec::new())?.evaluate(rows())?;
            let second = predicate.begin(0, Vec::new())?.evaluate(rows())?;
            let same = if first == second { "same" } else { "different" };
            Ok(format!("{same} {first:?}"))
        };
        tokio::task::spawn_blocking(evaluate)
            .await
            .expect("the host does not panic")
    }

    async fn personalize(&self, caller: &Caller, call: &Call) -> Result<String, PluginError> {
        let settings = self.settings(call);
        let personalizer = self.sandbox.personalizer(caller, self.plugin, &settings).await?;
        let count = call.rows;
        let personalize = move || {
            let rows = Rows {
                count,
                columns: Vec::new(),
            };
            Ok(format!("{:?}", personalizer.personalize(0, rows)?))
        };
        tokio::task::spawn_blocking(personalize)
            .await
            .expect("the host does not panic")
    }

    async fn send(&self, caller: &Caller, call: &Call) -> (usize, Vec<String>) {
        let channel = match self.sandbox.channel(caller, &self.binding(call)).await {
            Ok(channel) => channel,
            Err(error) => return (0, vec![format!("no channel: {error}")]),
        };
        let batch = call
            .messages
            .iter()
            .map(|message| self.message(message))
            .collect();
        let verdicts = channel.send(batch).await;
        let mut problems = Vec::new();
        if verdicts.len() != call.messages.len() {
            problems.push(format!("{} verdicts", verdicts.len()));
        }
        let mut faults = 0;
        for (wanted, verdict) in call.messages.iter().zip(&verdicts) {
            let (answer, left) = match verdict {
                Verdict::Accepted(_) => (Answer::Accepted, None),
                Verdict::Refused(_) => (Answer::Refused, None),
                Verdict::Unreported { left, .. } => (Answer::Unreported, Some(*left)),
            };
            faults += usize::from(answer == Answer::Unreported);
            let words = format!("{verdict:?}");
            let forbidden = wanted.never.as_ref().is_some_and(|never| words.contains(never));
            let left_differs = wanted.left.is_some_and(|wanted| left != Some(wanted));
            if answer != wanted.gets
                || !words.contains(&self.filled(&wanted.says))
                || forbidden
                || left_differs
            {
                problems.push(format!("message {}: {words}", wanted.id));
            }
        }
        (faults, problems)
    }

    fn message(&self, message: &Message) -> OutgoingMessage {
        let mut made = support::message(&message.id, &[]);
        if let Some(steps) = &message.steps {
            made.metadata
                .push(("do".to_owned(), self.filled(&steps.to_string())));
        }
        let metadata = message.metadata.iter();
        made.metadata
            .extend(metadata.map(|(name, value)| (name.clone(), self.filled(value))));
        made
    }
}
