//! What keys, users and roles are and hold, remembered while the account's revision stays the same. The
//! revision is read at most once a second, and at once after a change that this server made, so that
//! a busy client costs one small read a second and a key that was disabled elsewhere stops within one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use pinion_domain::iam::entity::{Entity, EntityKind, Holder, ManagedPolicy, Role, User};
use pinion_domain::iam::{Json, Named, Policies, Policy, PolicyKind};
use pinion_domain::id::{AccessKeyId, AccountId};
use pinion_store::{Store, Stored};
use sha2::{Digest, Sha256};

use super::session::{PREFIX, Session, Tokens};
use super::sigv4::{AuthError, Key, Presented};
use super::{Identity, Principal};
use crate::error::{ApiError, Result};

/// How long the revision of an account is believed to be as it was.
const FRESH: SignedDuration = SignedDuration::from_secs(1);
/// Everything is forgotten when there are that many keys, principals or tokens.
const LARGEST: usize = 4_096;

/// What a key turned out to be; nothing of it is proven before the signature is.
#[derive(Clone)]
pub(crate) enum Known {
    /// A long-term key of a user or, without a name, of the root.
    Key {
        account: AccountId,
        user: Option<String>,
    },
    /// A temporary one.
    Session(Arc<Opened>),
}

/// A token that was opened.
pub(crate) struct Opened {
    session: Arc<Session>,
    policy: Option<Arc<Named>>,
}

/// What is known of a user or role.
pub(crate) struct Grants {
    /// Its unique id.
    pub id: String,
    /// `aws:PrincipalTag`.
    pub tags: BTreeMap<String, String>,
    /// Its policies and those of its groups.
    pub identity: Vec<Arc<Named>>,
    /// What bounds it.
    pub boundary: Option<Arc<Named>>,
    /// Sessions that were given before are over.
    pub sessions_from: Option<Timestamp>,
    /// Who may become it, and for how many seconds; of roles.
    pub trust: Option<(Policy, u32)>,
}

/// A principal whose signature was verified, with everything that says what it may do.
pub(crate) struct Authority {
    pub principal: Principal,
    /// Absent for the root, who may do everything in its account.
    pub grants: Option<Arc<Grants>>,
    /// What narrows the session.
    pub session: Option<Vec<Arc<Named>>>,
}

impl Authority {
    /// The policies that decide; `None` means that none do.
    pub(crate) fn policies(&self) -> Option<Policies<'_>> {
        let grants = self.grants.as_ref()?;
        Some(Policies {
            identity: &grants.identity,
            boundary: grants.boundary.as_deref(),
            session: self.session.as_deref(),
        })
    }

    /// The principal's tags, those of the session before its own.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        if let Some(grants) = &self.grants {
            tags.extend(grants.tags.clone());
        }
        if let Some(of_session) = self.principal.session_tags() {
            tags.extend(of_session.clone());
        }
        tags
    }
}

/// Access control as the front door needs it.
pub(crate) struct Access {
    store: Store,
    pub(crate) tokens: Tokens,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// The store's count of changes when the accounts were last looked at.
    changes: u64,
    accounts: HashMap<AccountId, Account>,
    /// Keys that may sign, with the account's revision at which they were read.
    keys: HashMap<AccessKeyId, (i64, Key, Known)>,
    /// Tokens by their digest.
    tokens: HashMap<[u8; 32], Arc<Opened>>,
}

struct Account {
    revision: i64,
    /// When the revision was read.
    checked: Timestamp,
    holders: HashMap<Holder, Option<Arc<Grants>>>,
    managed: HashMap<String, Option<Arc<Named>>>,
}

impl Access {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            tokens: Tokens::new(&store),
            store,
            remembered: Mutex::default(),
        }
    }

    /// What a request presents as its key, if we know it and it may sign.
    pub(crate) async fn find(&self, presented: &Presented) -> Result<Option<(Key, Known)>> {
        let id = AccessKeyId::from(presented.access_key_id.as_str());
        match &presented.session_token {
            Some(token) if id.as_str().starts_with(PREFIX) => self.open(id.as_str(), token),
            _ => self.key(&id).await,
        }
    }

    /// The principal behind a key whose signature is verified. A user or role that is gone, or whose
    /// sessions were ended, has none.
    pub(crate) async fn authority(&self, id: &str, known: Known) -> Result<Authority> {
        let access_key_id = AccessKeyId::from(id);
        match known {
            Known::Key { account, user: None } => Ok(Authority {
                principal: Principal {
                    access_key_id,
                    account,
                    identity: Identity::Root,
                    session: None,
                },
                grants: None,
                session: None,
            }),
            Known::Key {
                account,
                user: Some(name),
            } => {
                let grants = self.grants(&account, &Holder::user(name.as_str())).await?;
                let grants = grants.ok_or(AuthError::UnknownKey)?;
                Ok(Authority {
                    principal: Principal {
                        access_key_id,
                        account,
                        identity: Identity::User {
                            name,
                            id: grants.id.clone(),
                        },
                        session: None,
                    },
                    grants: Some(grants),
                    session: None,
                })
            }
            Known::Session(opened) => self.of_session(access_key_id, &opened).await,
        }
    }

    async fn of_session(&self, access_key_id: AccessKeyId, opened: &Opened) -> Result<Authority> {
        let session = &opened.session;
        if let Some(parent) = &session.parent
            && self.key(parent).await?.is_none()
        {
            return Err(AuthError::UnknownKey.into());
        }
        let (identity, grants) = match session.holder() {
            None if session.holder.is_none() => (Identity::Root, None),
            None => return Err(AuthError::UnknownKey.into()),
            Some(holder) => {
                let grants = self.grants(&session.account, &holder).await?;
                let grants = grants
                    .filter(|grants| grants.id == session.id)
                    .filter(|grants| grants.sessions_from.is_none_or(|from| session.issued >= from))
                    .ok_or(AuthError::UnknownKey)?;
                let id = grants.id.clone();
                let identity = match holder.kind {
                    EntityKind::Role => Identity::Role {
                        name: holder.name,
                        id,
                        session: session.name.clone(),
                    },
                    _ => Identity::User {
                        name: holder.name,
                        id,
                    },
                };
                (identity, Some(grants))
            }
        };
        let narrows = opened.policy.is_some() || !session.policies.is_empty();
        let mut policies: Vec<_> = opened.policy.iter().cloned().collect();
        for name in &session.policies {
            // One that was deleted in the meantime allows nothing.
            policies.extend(self.managed(&session.account, name).await?);
        }
        Ok(Authority {
            principal: Principal {
                access_key_id,
                account: session.account.clone(),
                identity,
                session: Some(Arc::clone(session)),
            },
            grants,
            session: narrows.then_some(policies),
        })
    }

    fn open(&self, id: &str, token: &str) -> Result<Option<(Key, Known)>> {
        let digest: [u8; 32] = {
            let mut hash = Sha256::new();
            hash.update(id);
            hash.update([0]);
            hash.update(token);
            hash.finalize().into()
        };
        let remembered = self.remembered.lock().tokens.get(&digest).cloned();
        let opened = match remembered {
            Some(opened) => opened,
            None => {
                let Some(session) = self.tokens.open(id, token) else {
                    return Ok(None);
                };
                let policy = session.policy.as_ref().map(|document| {
                    let name = "the session's policy".to_owned();
                    compile("session policy", name, document)
                });
                let opened = Arc::new(Opened {
                    policy: policy.transpose()?,
                    session: Arc::new(session),
                });
                let tokens = &mut self.remembered.lock().tokens;
                if tokens.len() >= LARGEST {
                    tokens.clear();
                }
                tokens.insert(digest, Arc::clone(&opened));
                opened
            }
        };
        let key = Key {
            secret: self.tokens.secret(id),
            session_token: Some(token.to_owned()),
            expires: Some(opened.session.expires),
        };
        Ok(Some((key, Known::Session(opened))))
    }

    /// A long-term key, unless there is none or it is disabled. Unknown keys are not remembered: they may be
    /// made the next moment.
    async fn key(&self, id: &AccessKeyId) -> Result<Option<(Key, Known)>> {
        let found = self.remembered.lock().keys.get(id).cloned();
        if let Some((revision, key, known)) = found
            && let Known::Key { account, .. } = &known
            && self.revision(account).await? == revision
        {
            return Ok(Some((key, known)));
        }
        let Some(stored) = self.store.access_key(id).await? else {
            return Ok(None);
        };
        // Read again under a known revision: whatever happens from here on raises it.
        let revision = self.revision(&stored.account).await?;
        let Some(stored) = self.store.access_key(id).await?.filter(|stored| stored.enabled) else {
            self.remembered.lock().keys.remove(id);
            return Ok(None);
        };
        let key = Key {
            secret: stored.secret,
            session_token: None,
            expires: None,
        };
        let known = Known::Key {
            account: stored.account,
            user: stored.user,
        };
        let keys = &mut self.remembered.lock().keys;
        if keys.len() >= LARGEST {
            keys.clear();
        }
        keys.insert(id.clone(), (revision, key.clone(), known.clone()));
        Ok(Some((key, known)))
    }

    /// What a user or role is and holds; `None` if there is none.
    pub(crate) async fn grants(&self, account: &AccountId, holder: &Holder) -> Result<Option<Arc<Grants>>> {
        let revision = self.revision(account).await?;
        if let Some(remembered) = self.remembered.lock().accounts.get(account)
            && let Some(grants) = remembered.holders.get(holder)
        {
            return Ok(grants.clone());
        }
        let grants = self.load(account, holder).await?.map(Arc::new);
        // An unknown role costs a read each time, so that strangers cannot fill the memory with names.
        if grants.is_some() {
            self.keep(account, revision, |account| {
                account.holders.insert(holder.clone(), grants.clone());
            });
        }
        Ok(grants)
    }

    /// A managed policy, compiled.
    pub(crate) async fn managed(&self, account: &AccountId, name: &str) -> Result<Option<Arc<Named>>> {
        let revision = self.revision(account).await?;
        if let Some(remembered) = self.remembered.lock().accounts.get(account)
            && let Some(policy) = remembered.managed.get(name)
        {
            return Ok(policy.clone());
        }
        let stored = self.store.entity::<ManagedPolicy>(account, name).await?;
        let policy = stored.map(|stored| {
            let name = format!("managed policy {}", stored.name);
            compile("stored policy", name, &stored.entity.document)
        });
        let policy = policy.transpose()?;
        self.keep(account, revision, |account| {
            account.managed.insert(name.to_owned(), policy.clone());
        });
        Ok(policy)
    }

    async fn load(&self, account: &AccountId, holder: &Holder) -> Result<Option<Grants>> {
        let (id, tags, boundary, sessions_from, trust) = match holder.kind {
            EntityKind::User => {
                let Some(Stored { id, entity, .. }) = self.entity::<User>(account, &holder.name).await?
                else {
                    return Ok(None);
                };
                (id, entity.tags, entity.boundary, entity.sessions_from, None)
            }
            EntityKind::Role => {
                let Some(Stored { id, entity, .. }) = self.entity::<Role>(account, &holder.name).await?
                else {
                    return Ok(None);
                };
                let trust = Policy::compile("stored trust policy", &entity.trust, PolicyKind::Trust);
                let trust = trust.map_err(ApiError::internal)?;
                let trust = Some((trust, entity.longest_session));
                (id, entity.tags, entity.boundary, entity.sessions_from, trust)
            }
            EntityKind::Group | EntityKind::Policy => return Ok(None),
        };
        let mut identity = Vec::new();
        for held in self.store.held_policies(account, holder).await? {
            let sort = if held.managed { "managed policy" } else { "policy" };
            let name = format!("{sort} {} of {}", held.name, held.holder);
            identity.push(compile("stored policy", name, &held.document)?);
        }
        let boundary = match boundary {
            None => None,
            Some(name) => match self.managed(account, &name).await? {
                Some(policy) => Some(policy),
                // Cannot be deleted while it bounds somebody; and if it is gone, nobody is let through.
                None => {
                    let problem = format!("boundary {name} of {holder} is missing");
                    return Err(ApiError::internal(problem));
                }
            },
        };
        Ok(Some(Grants {
            id,
            tags,
            identity,
            boundary,
            sessions_from,
            trust,
        }))
    }

    async fn entity<E: Entity>(&self, account: &AccountId, name: &str) -> Result<Option<Stored<E>>> {
        Ok(self.store.entity(account, name).await?)
    }

    /// The account's revision, not older than a second. What was remembered under another is forgotten.
    async fn revision(&self, account: &AccountId) -> Result<i64> {
        let now = self.store.clock().now();
        let changes = self.store.access_changes();
        {
            let mut remembered = self.remembered.lock();
            if remembered.changes == changes
                && let Some(known) = remembered.accounts.get(account)
                && now.duration_since(known.checked).abs() < FRESH
            {
                return Ok(known.revision);
            }
            if remembered.changes != changes {
                remembered.changes = changes;
                for known in remembered.accounts.values_mut() {
                    known.checked = Timestamp::MIN;
                }
            }
        }
        let revision = self.store.access_revision(account).await?;
        let mut remembered = self.remembered.lock();
        if remembered.accounts.len() >= LARGEST {
            remembered.accounts.clear();
        }
        let in_between = remembered.changes != changes;
        let known = remembered
            .accounts
            .entry(account.clone())
            .or_insert_with(|| Account::new(revision));
        let fresh = now.duration_since(known.checked).abs() < FRESH;
        // Another read or a change of our own overtook this one: what it found does not count for others.
        if in_between || (fresh && revision < known.revision) {
            return Ok(if fresh { known.revision } else { revision });
        }
        if known.revision != revision {
            *known = Account::new(revision);
        }
        known.checked = now;
        Ok(revision)
    }

    /// Remembers something that was read under that revision, if it still is the account's.
    fn keep(&self, account: &AccountId, revision: i64, insert: impl FnOnce(&mut Account)) {
        let mut remembered = self.remembered.lock();
        if let Some(known) = remembered.accounts.get_mut(account)
            && known.revision == revision
        {
            if known.holders.len() + known.managed.len() >= LARGEST {
                known.holders.clear();
                known.managed.clear();
            }
            insert(known);
        }
    }
}

impl Account {
    fn new(revision: i64) -> Self {
        Self {
            revision,
            checked: Timestamp::MIN,
            holders: HashMap::new(),
            managed: HashMap::new(),
        }
    }
}

/// What is stored was checked when it was written, so a failure is ours.
fn compile(field: &str, name: String, document: &Json) -> Result<Arc<Named>> {
    let policy = Policy::compile(field, document, PolicyKind::Identity).map_err(ApiError::internal)?;
    Ok(Arc::new(Named { name, policy }))
}
