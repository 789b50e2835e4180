//! The decision: an explicit deny wins over any allow, and without an allow nothing is permitted. A
//! boundary and the policies of a session must allow what the principal's own policies allow (user guide,
//! "Policy evaluation logic").

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use super::policy::{Effect, Policy};

/// A policy and what it is called: `policy Readers of group crew`.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// For people.
    pub name: String,
    /// The rules.
    pub policy: Policy,
}

/// Everything that says what one principal may do.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// The principal's own and those of its groups.
    pub identity: &'a [Arc<Named>],
    /// The most that the principal may ever do, if there is such a limit.
    pub boundary: Option<&'a Named>,
    /// The most that this session may do, if there is such a limit. One policy that allows is enough.
    pub session: Option<&'a [Arc<Named>]>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `mobiletargeting:GetApp`
    pub action: &'a str,
    /// The ARN.
    pub resource: &'a str,
    /// What else is known.
    pub context: &'a Context,
}

/// Which of the three sorts of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The principal's own and its groups'.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Of the session.
    Session,
}

/// A statement that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deciding {
    /// In which sort of policy.
    pub layer: Layer,
    /// In which policy.
    pub policy: String,
    /// Its `Sid`, if it has one.
    pub sid: Option<String>,
    /// Its position, from 0.
    pub index: usize,
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Permitted, by this statement among others.
    Allowed(Deciding),
    /// Forbidden by a statement.
    Denied(Deciding),
    /// Not permitted by any policy of that sort.
    NotAllowed(Layer),
}

impl Verdict {
    /// Is it permitted?
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

impl Policies<'_> {
    /// Decides.
    pub fn decide(&self, request: &Request<'_>) -> Verdict {
        if let Some(denied) = self.denied(request) {
            return denied;
        }
        let identity = self.identity.iter().map(Arc::as_ref);
        match first(Effect::Allow, Layer::Identity, identity, request) {
            None => Verdict::NotAllowed(Layer::Identity),
            Some(deciding) => self.outside(request).unwrap_or(Verdict::Allowed(deciding)),
        }
    }

    /// What speaks against something that another policy grants the principal, a role's trust policy for
    /// example: a deny, or the limits of boundary and session.
    pub fn objection(&self, request: &Request<'_>) -> Option<Verdict> {
        self.denied(request).or_else(|| self.outside(request))
    }

    fn denied(&self, request: &Request<'_>) -> Option<Verdict> {
        let identity = self.identity.iter().map(Arc::as_ref);
        let session = self.session.unwrap_or_default().iter().map(Arc::as_ref);
        first(Effect::Deny, Layer::Identity, identity, request)
            .or_else(|| first(Effect::Deny, Layer::Boundary, self.boundary.into_iter(), request))
            .or_else(|| first(Effect::Deny, Layer::Session, session, request))
            .map(Verdict::Denied)
    }

    fn outside(&self, request: &Request<'_>) -> Option<Verdict> {
        if self.boundary.is_some()
            && first(Effect::Allow, Layer::Boundary, self.boundary.into_iter(), request).is_none()
        {
            return Some(Verdict::NotAllowed(Layer::Boundary));
        }
        let session = self.session?.iter().map(Arc::as_ref);
        match first(Effect::Allow, Layer::Session, session, request) {
            None => Some(Verdict::NotAllowed(Layer::Session)),
            Some(_) => None,
        }
    }

    /// Does any of them look at a condition key that begins so? In lower case: `aws:resourcetag/`.
    pub fn look_at(&self, prefix: &str) -> bool {
        let session = self.session.unwrap_or_default();
        let all = self
            .identity
            .iter()
            .chain(session)
            .map(Arc::as_ref)
            .chain(self.boundary);
        all.into_iter()
            .any(|named| named.policy.keys().any_begins(prefix))
    }
}

fn first<'p>(
    effect: Effect,
    layer: Layer,
    mut policies: impl Iterator<Item = &'p Named>,
    request: &Request<'_>,
) -> Option<Deciding> {
    policies.find_map(|named| {
        let found = named
            .policy
            .applies(effect, request.action, request.resource, request.context);
        found.map(|(index, statement)| Deciding {
            layer,
            policy: named.name.clone(),
            sid: statement.sid.clone(),
            index,
        })
    })
}

/// A sentence for people: `statement ReadOnly (0) of policy Readers of group crew`.
impl fmt::Display for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sid {
            Some(sid) => write!(f, "statement {sid} ({}) of {}", self.index, self.policy),
            None => write!(f, "statement {} of {}", self.index, self.policy),
        }
    }
}

/// The end of AWS's sentence about a refusal, behind `… on resource: ARN`.
pub fn why(verdict: &Verdict, action: &str) -> String {
    let (layer, denied) = match verdict {
        Verdict::Allowed(_) => return String::new(),
        Verdict::Denied(deciding) => (deciding.layer, true),
        Verdict::NotAllowed(layer) => (*layer, false),
    };
    let (a, noun) = match layer {
        Layer::Identity => ("an", "identity-based policy"),
        Layer::Boundary => ("a", "permissions boundary"),
        Layer::Session => ("a", "session policy"),
    };
    if denied {
        format!(" with an explicit deny in {a} {noun}")
    } else {
        format!(" because no {noun} allows the {action} action")
    }
}
