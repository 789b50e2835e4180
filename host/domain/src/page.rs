//! Pages of a list.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};

use crate::{Error, Result};

/// One page's worth: how many, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// 1..=200.
    pub size: u32,
    /// The key behind which the page begins: the last key of the page before.
    pub after: Option<String>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            size: Self::DEFAULT,
            after: None,
        }
    }
}

impl PageRequest {
    /// Items a page has if the client does not say.
    pub const DEFAULT: u32 = 100;
    /// Items a page has at the most; larger wishes are cut, as at AWS.
    pub const LARGEST: u32 = 200;

    /// Reads `page-size` and `token` (or `next-token`) of a query.
    pub fn parse(size: Option<&str>, token: Option<&str>) -> Result<Self> {
        let size = match size {
            None | Some("") => Self::DEFAULT,
            Some(text) => match text.parse::<u32>() {
                Ok(n) if n >= 1 => n.min(Self::LARGEST),
                _ => {
                    return Err(Error::invalid(
                        "page-size",
                        "must be a whole number of at least 1",
                    ));
                }
            },
        };
        let after = match token {
            None | Some("") => None,
            Some(token) => {
                let bytes = BASE64
                    .decode(token)
                    .map_err(|_| Error::invalid("token", "is not a token of ours"))?;
                Some(
                    String::from_utf8(bytes)
                        .map_err(|_| Error::invalid("token", "is not a token of ours"))?,
                )
            }
        };
        Ok(Self { size, after })
    }
}

/// A page and the way to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Opaque to clients; absent on the last page.
    pub next_token: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page from up to `size + 1` items read; `key` names an item in the list's order.
    pub fn of(mut items: Vec<T>, size: u32, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > size as usize;
        items.truncate(size as usize);
        let next_token = if more {
            items.last().map(|last| BASE64.encode(key(last)))
        } else {
            None
        };
        Self { items, next_token }
    }

    /// The same page of other things.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(each).collect(),
            next_token: self.next_token,
        }
    }
}
