//! What a relay offered, and the commands of one transaction: pure, so that every refusal that can be told
//! beforehand is told before anything is sent.

use super::wire;
use super::{Envelope, Reply};

/// What the server offered in its answer to EHLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) pipelining: bool,
    pub(super) starttls: bool,
    pub(super) auth_plain: bool,
    pub(super) auth_login: bool,
    pub(super) eight_bit: bool,
    pub(super) utf8: bool,
    pub(super) size: bool,
    /// Bytes; 0 if the server did not say.
    pub(super) largest: usize,
}

impl Offers {
    /// Reads the lines behind the first of an answer to EHLO.
    pub(super) fn read(text: &str) -> Self {
        let mut offers = Self::default();
        for line in text.lines().skip(1) {
            let line = line.to_ascii_uppercase();
            // `AUTH=PLAIN` is how servers wrote it before there was a standard.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("PIPELINING") => offers.pipelining = true,
                Some("STARTTLS") => offers.starttls = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("SIZE") => {
                    offers.size = true;
                    offers.largest = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                }
                Some("AUTH") => {
                    for mechanism in words {
                        offers.auth_plain |= mechanism == "PLAIN";
                        offers.auth_login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offers
    }
}

/// The commands of a transaction.
pub(super) struct Plan {
    pub(super) mail: String,
    /// In order: the line, or the reply that the host gives in the server's place.
    pub(super) recipients: Vec<Result<String, Reply>>,
}

impl Plan {
    /// Fails with the reply that the server would have to give, where that can be told beforehand.
    pub(super) fn new(offers: Offers, envelope: &Envelope, message: &[u8]) -> Result<Self, Reply> {
        let Envelope { mail_from, rcpt_to } = envelope;
        if !wire::is_path(mail_from) {
            return Err(Reply::own(553, "5.1.7", "malformed sender address"));
        }
        if rcpt_to.is_empty() {
            return Err(Reply::own(554, "5.5.1", "no recipients"));
        }
        if offers.largest > 0 && message.len() > offers.largest {
            return Err(Reply::own(
                552,
                "5.3.4",
                "the message is larger than the relay takes",
            ));
        }
        let ascii = message.is_ascii();
        if !ascii && !offers.eight_bit {
            return Err(Reply::own(
                554,
                "5.6.3",
                "the message has 8-bit text and the relay does not offer 8BITMIME",
            ));
        }
        let utf8 = offers.utf8 && !(mail_from.is_ascii() && rcpt_to.iter().all(|to| to.is_ascii()));
        let write = |address: &str| match utf8 {
            true => Some(address.to_owned()),
            false => wire::to_ascii(address),
        };
        let no_utf8 = || Reply::own(553, "5.6.7", "the relay does not take addresses beyond ASCII");

        let mut mail = format!("MAIL FROM:<{}>", write(mail_from).ok_or_else(no_utf8)?);
        if offers.size {
            mail += &format!(" SIZE={}", message.len());
        }
        if !ascii {
            mail += " BODY=8BITMIME";
        }
        if utf8 {
            mail += " SMTPUTF8";
        }
        let recipients = rcpt_to
            .iter()
            .map(|to| {
                if to.is_empty() || !wire::is_path(to) {
                    return Err(Reply::own(553, "5.1.3", "malformed recipient address"));
                }
                Ok(format!("RCPT TO:<{}>", write(to).ok_or_else(no_utf8)?))
            })
            .collect();
        Ok(Self { mail, recipients })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_in_any_spelling() {
        let text = "relay.test greets\npipelining\nSIZE 1000\nAUTH=LOGIN\nAUTH CRAM-MD5 PLAIN\nstarttls\n\
                    8bitmime\nSMTPUTF8\nX-UNKNOWN a b\n";
        let expected = Offers {
            pipelining: true,
            starttls: true,
            auth_plain: true,
            auth_login: true,
            eight_bit: true,
            utf8: true,
            size: true,
            largest: 1000,
        };
        assert_eq!(Offers::read(text), expected);
        // The first line is a greeting, whatever it says.
        assert_eq!(
            Offers::read("PIPELINING\nSIZE x"),
            Offers {
                size: true,
                ..Offers::default()
            }
        );
    }

    #[test]
    fn a_plan_says_only_what_the_server_offered() {
        let envelope = |from: &str, to: &[&str]| Envelope {
            mail_from: from.to_owned(),
            rcpt_to: to.iter().map(|to| (*to).to_owned()).collect(),
        };
        let rich = Offers {
            eight_bit: true,
            utf8: true,
            size: true,
            largest: 100,
            ..Offers::default()
        };
        let mail = |offers, envelope: &Envelope, message: &str| {
            Plan::new(offers, envelope, message.as_bytes())
                .map(|plan| plan.mail)
                .map_err(|reply| reply.enhanced.unwrap())
        };
        let plain = envelope("a@x.test", &["b@x.test"]);
        let foreign = envelope("a@x.test", &["bücher@x.test"]);
        for (offers, envelope, message, expected) in [
            (Offers::default(), &plain, "hi", Ok("MAIL FROM:<a@x.test>")),
            (rich, &plain, "hi", Ok("MAIL FROM:<a@x.test> SIZE=2")),
            (
                rich,
                &plain,
                "hü",
                Ok("MAIL FROM:<a@x.test> SIZE=3 BODY=8BITMIME"),
            ),
            (rich, &foreign, "hi", Ok("MAIL FROM:<a@x.test> SIZE=2 SMTPUTF8")),
            (Offers::default(), &plain, "hü", Err("5.6.3")),
            (rich, &plain, &"x".repeat(101), Err("5.3.4")),
            (rich, &envelope("a\r\n@x.test", &["b@x.test"]), "hi", Err("5.1.7")),
            (rich, &envelope("", &[]), "hi", Err("5.5.1")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(mail(offers, envelope, message), expected);
        }
        let plan = Plan::new(
            Offers::default(),
            &envelope("", &["ü@x.test", "b>@x.test", "b@ü.test"]),
            b"",
        );
        let enhanced: Vec<_> = plan
            .unwrap()
            .recipients
            .into_iter()
            .map(|to| to.map_err(|reply| reply.enhanced.unwrap()))
            .collect();
        let expected = [
            Err("5.6.7".to_owned()),
            Err("5.1.3".to_owned()),
            Ok("RCPT TO:<b@xn--tda.test>".to_owned()),
        ];
        assert_eq!(enhanced, expected);
    }
}
