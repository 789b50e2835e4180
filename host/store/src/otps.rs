//! One-time passwords that wait to be verified.
//!
//! Nothing here can be read back: destination and reference together are a keyed hash, the code is another
//! with a salt of its own. A code of five digits could be found by trying if the hash had no key, so a copy
//! of the database alone tells nothing.

use jiff::Timestamp;
use rand::RngExt;

use crate::backend::write;
use crate::seal::{hmac, is_hmac};
use crate::writer::Tx;
use crate::{AppRef, Lane, Result, Store};

/// A password that is about to be sent.
#[derive(Clone)]
pub struct NewOtp {
    /// To whom.
    pub destination: String,
    /// What a verification must name again.
    pub reference: String,
    /// The code.
    pub code: String,
    /// Wrong guesses after which it is worth nothing.
    pub attempts: u8,
    /// When it is worth nothing.
    pub expires: Timestamp,
}

impl std::fmt::Debug for NewOtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewOtp")
            .field("attempts", &self.attempts)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What is kept of it.
pub(crate) struct Hashed {
    subject: [u8; 32],
    salt: [u8; 16],
    code: [u8; 32],
    attempts: u8,
    expires: Timestamp,
}

impl Store {
    pub(crate) fn hash_otp(&self, app: &AppRef, otp: &NewOtp) -> Hashed {
        let key = self.otp_key();
        let subject = subject(&key, app, &otp.destination, &otp.reference);
        let salt: [u8; 16] = rand::rng().random();
        Hashed {
            subject,
            salt,
            code: hmac(&key, &code_parts(&subject, &salt, &otp.code)),
            attempts: otp.attempts,
            expires: otp.expires,
        }
    }

    /// Is this the code that was sent? A right one is worth nothing afterwards; each wrong one takes one of the
    /// attempts, however many are made at the same time.
    pub async fn verify_otp(
        &self,
        app: &AppRef,
        destination: &str,
        reference: &str,
        code: &str,
    ) -> Result<bool> {
        struct Guess {
            app_no: i64,
            key: [u8; 32],
            subject: [u8; 32],
            code: String,
        }
        let key = self.otp_key();
        let guess = Guess {
            app_no: app.no,
            subject: subject(&key, app, destination, reference),
            key,
            code: code.to_owned(),
        };
        self.inner
            .main
            .write(Lane::Interactive, guess, |tx, guess| {
                Box::pin(async move {
                    let now = tx.now.as_millisecond();
                    // Taking the attempt first locks the row: others wait and then see one attempt less.
                    let taken: Option<(Vec<u8>, Vec<u8>, i16)> = write!(tx, |db| sqlx::query_as(
                        "update otp set attempts_left = attempts_left - 1
                         where app_no = $1 and subject_hash = $2 and attempts_left > 0 and expires_at > $3
                         returning salt, code_hash, attempts_left"
                    )
                    .bind(guess.app_no)
                    .bind(guess.subject.as_slice())
                    .bind(now)
                    .fetch_optional(&mut *db)
                    .await)?;
                    let Some((salt, hash, left)) = taken else {
                        return Ok(false);
                    };
                    let is_right =
                        is_hmac(&guess.key, &code_parts(&guess.subject, &salt, &guess.code), &hash);
                    if is_right || left == 0 {
                        write!(tx, |db| sqlx::query(
                            "delete from otp where app_no = $1 and subject_hash = $2"
                        )
                        .bind(guess.app_no)
                        .bind(guess.subject.as_slice())
                        .execute(&mut *db)
                        .await
                        .map(drop))?;
                    }
                    Ok(is_right)
                })
            })
            .await
    }

    fn otp_key(&self) -> [u8; 32] {
        self.inner.master.derive("otp")
    }
}

/// Keeps a password. A newer one for the same destination and reference takes the place of the older.
pub(crate) async fn put(tx: &mut Tx, app: &AppRef, otp: &Hashed) -> Result<()> {
    Ok(write!(tx, |db| sqlx::query(
        "insert into otp (app_no, subject_hash, salt, code_hash, attempts_left, expires_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (app_no, subject_hash) do update set
             salt = excluded.salt, code_hash = excluded.code_hash, attempts_left = excluded.attempts_left,
             expires_at = excluded.expires_at"
    )
    .bind(app.no)
    .bind(otp.subject.as_slice())
    .bind(otp.salt.as_slice())
    .bind(otp.code.as_slice())
    .bind(i16::from(otp.attempts))
    .bind(otp.expires.as_millisecond())
    .execute(&mut *db)
    .await
    .map(drop))?)
}

fn subject(key: &[u8; 32], app: &AppRef, destination: &str, reference: &str) -> [u8; 32] {
    hmac(
        key,
        &[
            b"subject",
            app.id.as_str().as_bytes(),
            destination.as_bytes(),
            reference.as_bytes(),
        ],
    )
}

fn code_parts<'a>(subject: &'a [u8], salt: &'a [u8], code: &'a str) -> [&'a [u8]; 4] {
    [b"code", subject, salt, code.as_bytes()]
}
