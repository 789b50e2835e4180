//! The five types of templates. Each is a kind of its own; the quota counts them together, and lists go
//! over all of them.

use pinion_domain::id::Tenant;
use pinion_domain::page::{Page, PageRequest};
use pinion_domain::quotas::Quotas;
use pinion_domain::template::{
    EmailTemplate, InAppTemplate, PushTemplate, SmsTemplate, TemplateSummary, TemplateType, VoiceTemplate,
};

use super::{Document, Most, Row, Versioned, decode, versions};
use crate::backend::{PageKey, read};
use crate::{Error, Result, Store};

macro_rules! templates {
    ($($document:ty: $type:ident, $kind:literal, $noun:literal;)*) => {
        /// Every kind of template.
        const KINDS: &[&str] = &[$($kind),*];

        fn kind(template_type: TemplateType) -> &'static str {
            match template_type {
                $(TemplateType::$type => $kind,)*
            }
        }

        $(impl Document for $document {
            const KIND: &'static str = $kind;
            const NOUN: &'static str = $noun;

            fn most(quotas: &Quotas) -> Option<Most> {
                Some(Most { count: quotas.templates, kinds: KINDS, nouns: "templates" })
            }

            fn most_versions(quotas: &Quotas) -> Option<u32> {
                Some(quotas.template_versions)
            }
        })*
    };
}

templates! {
    EmailTemplate: Email, "email_template", "email template";
    SmsTemplate: Sms, "sms_template", "SMS template";
    PushTemplate: Push, "push_template", "push template";
    VoiceTemplate: Voice, "voice_template", "voice template";
    InAppTemplate: InApp, "in_app_template", "in-app template";
}

impl Store {
    /// The active version of each template of the type (`None`: of all types) whose name begins with
    /// `prefix`, oldest template first.
    pub async fn templates(
        &self,
        tenant: &Tenant,
        template_type: Option<TemplateType>,
        prefix: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<(TemplateType, Versioned<TemplateSummary>)>> {
        let prefix = prefix.unwrap_or("");
        // A name can be that of several templates of different types, so the kind goes into the token.
        let mut after = PageKey::oldest_first(page)?;
        let mut after_kind = String::new();
        if page.after.is_some() {
            let (kind, name) = after.id.split_once(' ').ok_or_else(PageKey::foreign)?;
            (after_kind, after.id) = (kind.to_owned(), name.to_owned());
        }
        let rows: Vec<Row> = read!(self.inner.main.pools, |db| sqlx::query_as(versions!(
            "r.account_id = $1 and r.region = $2 and r.app_no = 0
             and r.kind in ($3, $4, $5, $6, $7) and (r.kind = $8 or $8 = '')
             and substr(r.resource_id, 1, $10) = $9 and v.version = r.active_version
             and (r.created_at > $11 or (r.created_at = $11
                  and (r.resource_id > $12 or (r.resource_id = $12 and r.kind > $13))))
             order by r.created_at, r.resource_id, r.kind limit $14"
        ))
        .bind(tenant.account.as_str())
        .bind(tenant.region.as_str())
        .bind(KINDS[0])
        .bind(KINDS[1])
        .bind(KINDS[2])
        .bind(KINDS[3])
        .bind(KINDS[4])
        .bind(template_type.map_or("", kind))
        .bind(prefix)
        .bind(i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX))
        .bind(after.at)
        .bind(&after.id)
        .bind(&after_kind)
        .bind(i64::from(page.size) + 1)
        .fetch_all(db)
        .await)?;
        let page = Page::of(rows, page.size, |row| {
            PageKey::write(row.created_at, &format!("{} {}", row.kind, row.resource_id))
        });
        let typed = |row: Row| {
            let found = TemplateType::ALL
                .into_iter()
                .find(|found| kind(*found) == row.kind);
            let found = found.ok_or_else(|| Error::corrupt("template", format!("no type {}", row.kind)))?;
            Ok((found, decode(row)?))
        };
        Ok(Page {
            items: page.items.into_iter().map(typed).collect::<Result<_>>()?,
            next_token: page.next_token,
        })
    }
}
