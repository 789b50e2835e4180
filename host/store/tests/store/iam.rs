//! Users, groups, roles, policies and their keys.

use pinion_domain::Error as Wrong;
use pinion_domain::iam::Json;
use pinion_domain::iam::entity::{
    Group, Holder, ManagedPolicy, PolicyChange, Role, RoleChange, User, UserChange,
};
use pinion_domain::id::AccountId;
use pinion_domain::page::PageRequest;
use pinion_store::testing::{each_database, tenant};
use pinion_store::{Error, Store};

fn account() -> AccountId {
    tenant().account
}

fn document(action: &str) -> Json {
    Json::parse(&format!(
        r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#
    ))
    .unwrap()
}

async fn policy(store: &Store, name: &str) {
    let policy = ManagedPolicy {
        description: "d".to_owned(),
        document: document(&format!("a:{name}")),
    };
    store.create_entity(&account(), name, policy).await.unwrap();
}

async fn user(store: &Store, name: &str) {
    store
        .create_entity(&account(), name, User::default())
        .await
        .unwrap();
}

fn role() -> Role {
    Role {
        description: String::new(),
        trust: document("sts:AssumeRole"),
        longest_session: 3_600,
        boundary: None,
        tags: [("team".to_owned(), "crew".to_owned())].into(),
        sessions_from: None,
    }
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Domain(Wrong::Conflict(sentence))) => sentence,
        other => panic!("{other:?} is no conflict"),
    }
}

#[track_caller]
fn over_limit<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Domain(Wrong::LimitExceeded(sentence))) => sentence,
        other => panic!("{other:?} is not over a limit"),
    }
}

#[track_caller]
fn not_found<T: std::fmt::Debug>(result: &Result<T, Error>) {
    assert!(
        matches!(result, Err(Error::Domain(Wrong::NotFound { .. }))),
        "{result:?}"
    );
}

#[tokio::test]
async fn entities_are_made_changed_and_removed() {
    each_database(async |store, _| {
        let made = store.create_entity(&account(), "sender", role()).await.unwrap();
        assert!(made.id.starts_with("AROA"), "{made:?}");
        assert_eq!(
            store.entity::<Role>(&account(), "sender").await.unwrap(),
            Some(made.clone())
        );
        // Another account, another kind and another case are others.
        assert_eq!(
            store
                .entity::<Role>(&"000000000001".into(), "sender")
                .await
                .unwrap(),
            None
        );
        assert_eq!(store.entity::<User>(&account(), "sender").await.unwrap(), None);
        assert_eq!(store.entity::<Role>(&account(), "Sender").await.unwrap(), None);
        let sentence = conflict(store.create_entity(&account(), "SENDER", role()).await);
        assert!(
            sentence.contains("a role of the name SENDER already"),
            "{sentence}"
        );

        policy(&store, "bound").await;
        let change = RoleChange {
            boundary: Some(Some("bound".to_owned())),
            longest_session: Some(7_200),
            ..RoleChange::default()
        };
        let changed = store
            .update_entity::<Role>(&account(), "sender", change)
            .await
            .unwrap();
        assert_eq!(changed.entity.longest_session, 7_200);
        assert_eq!(changed.entity.tags, role().tags);
        assert_eq!(
            store.entity::<Role>(&account(), "sender").await.unwrap(),
            Some(changed)
        );
        not_found(
            &store
                .update_entity::<Role>(&account(), "nobody", RoleChange::default())
                .await,
        );
        let change = UserChange {
            boundary: Some(Some("nothing".to_owned())),
            ..UserChange::default()
        };
        user(&store, "ann").await;
        not_found(&store.update_entity::<User>(&account(), "ann", change).await);

        let sentence = conflict(store.delete_entity::<ManagedPolicy>(&account(), "bound").await);
        assert!(
            sentence.contains("principals whose boundary it is (1)"),
            "{sentence}"
        );
        store.delete_entity::<Role>(&account(), "sender").await.unwrap();
        store
            .delete_entity::<ManagedPolicy>(&account(), "bound")
            .await
            .unwrap();
        not_found(&store.delete_entity::<Role>(&account(), "sender").await);
        let again = store.create_entity(&account(), "sender", role()).await.unwrap();
        assert_ne!(again.id, made.id);
    })
    .await;
}

#[tokio::test]
async fn entities_are_listed_by_name() {
    each_database(async |store, _| {
        for name in ["c", "a", "b"] {
            user(&store, name).await;
            store.create_entity(&account(), name, Group {}).await.unwrap();
        }
        let page = |token: Option<&str>| PageRequest::parse(Some("2"), token).unwrap();
        let first = store.entities::<User>(&account(), &page(None)).await.unwrap();
        let names = |page: &pinion_domain::page::Page<pinion_store::Stored<User>>| {
            page.items
                .iter()
                .map(|user| user.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&first), ["a", "b"]);
        let second = page(first.next_token.as_deref());
        let second = store.entities::<User>(&account(), &second).await.unwrap();
        assert_eq!((names(&second), second.next_token), (vec!["c".to_owned()], None));
        let others = store
            .entities::<User>(&"000000000001".into(), &page(None))
            .await
            .unwrap();
        assert!(others.items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_user_holds_its_own_policies_and_those_of_its_groups() {
    each_database(async |store, _| {
        let (account, ann, crew) = (account(), Holder::user("ann"), Holder::group("crew"));
        user(&store, "ann").await;
        user(&store, "bob").await;
        for group in ["crew", "other"] {
            store.create_entity(&account, group, Group {}).await.unwrap();
        }
        for name in ["P", "Q"] {
            policy(&store, name).await;
        }
        store
            .put_inline_policy(&account, &ann, "own", &document("a:old"))
            .await
            .unwrap();
        store
            .put_inline_policy(&account, &ann, "own", &document("a:own"))
            .await
            .unwrap();
        store
            .put_inline_policy(&account, &crew, "ours", &document("a:ours"))
            .await
            .unwrap();
        store
            .put_inline_policy(&account, &Holder::group("other"), "theirs", &document("a:x"))
            .await
            .unwrap();
        store.attach_policy(&account, &ann, "P").await.unwrap();
        store.attach_policy(&account, &ann, "P").await.unwrap();
        store.attach_policy(&account, &crew, "Q").await.unwrap();
        store.add_to_group(&account, "crew", "ann").await.unwrap();
        store.add_to_group(&account, "crew", "ann").await.unwrap();
        assert_eq!(store.groups_of(&account, "ann").await.unwrap(), ["crew"]);
        assert_eq!(store.members_of(&account, "crew").await.unwrap(), ["ann"]);

        let held = async |holder: &Holder| {
            let held = store.held_policies(&account, holder).await.unwrap();
            held.into_iter()
                .map(|held| format!("{} {} {} {}", held.holder, held.name, held.managed, held.document))
                .map(|text| text.replace(r#"{"Statement":{"Effect":"Allow","Action":"#, ""))
                .map(|text| text.replace(r#","Resource":"*"}}"#, ""))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            held(&ann).await,
            [
                r#"group/crew ours false "a:ours""#,
                r#"user/ann own false "a:own""#,
                r#"group/crew Q true "a:Q""#,
                r#"user/ann P true "a:P""#,
            ]
        );
        assert_eq!(held(&crew).await.len(), 2);
        assert!(held(&Holder::user("bob")).await.is_empty());
        // A role of a user's name is not in the user's groups.
        store.create_entity(&account, "ann", role()).await.unwrap();
        assert!(held(&Holder::role("ann")).await.is_empty());

        let change = PolicyChange {
            document: Some(document("a:new")),
            ..PolicyChange::default()
        };
        store
            .update_entity::<ManagedPolicy>(&account, "Q", change)
            .await
            .unwrap();
        assert_eq!(held(&crew).await[1], r#"group/crew Q true "a:new""#);
        assert_eq!(
            store.inline_policy(&account, &ann, "own").await.unwrap(),
            Some(document("a:own"))
        );
        assert_eq!(store.inline_policy(&account, &crew, "own").await.unwrap(), None);

        assert!(store.remove_from_group(&account, "crew", "ann").await.unwrap());
        assert!(!store.remove_from_group(&account, "crew", "ann").await.unwrap());
        assert!(store.detach_policy(&account, &ann, "P").await.unwrap());
        assert!(!store.detach_policy(&account, &ann, "P").await.unwrap());
        assert!(store.delete_inline_policy(&account, &ann, "own").await.unwrap());
        assert!(!store.delete_inline_policy(&account, &ann, "own").await.unwrap());
        assert!(held(&ann).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn only_what_is_there_can_be_put_together() {
    each_database(async |store, _| {
        let account = account();
        user(&store, "ann").await;
        policy(&store, "P").await;
        let nobody = Holder::role("nobody");
        not_found(&store.attach_policy(&account, &nobody, "P").await);
        not_found(&store.attach_policy(&account, &Holder::user("ann"), "Q").await);
        not_found(
            &store
                .put_inline_policy(&account, &nobody, "x", &document("a:b"))
                .await,
        );
        not_found(&store.add_to_group(&account, "crew", "ann").await);
        not_found(&store.create_user_access_key(&account, "bob").await);
        store.create_entity(&account, "crew", Group {}).await.unwrap();
        not_found(&store.add_to_group(&account, "crew", "bob").await);
        // Another account's policy is not there.
        let other: AccountId = "000000000001".into();
        store.create_entity(&other, "zoe", User::default()).await.unwrap();
        not_found(&store.attach_policy(&other, &Holder::user("zoe"), "P").await);
    })
    .await;
}

#[tokio::test]
async fn what_something_hangs_on_stays() {
    each_database(async |store, _| {
        let (account, ann) = (account(), Holder::user("ann"));
        user(&store, "ann").await;
        store.create_entity(&account, "crew", Group {}).await.unwrap();
        policy(&store, "P").await;
        let key = store.create_user_access_key(&account, "ann").await.unwrap();
        store.add_to_group(&account, "crew", "ann").await.unwrap();
        store.attach_policy(&account, &ann, "P").await.unwrap();
        store
            .put_inline_policy(&account, &ann, "own", &document("a:b"))
            .await
            .unwrap();

        let user_still = async |what: &str| {
            let sentence = conflict(store.delete_entity::<User>(&account, "ann").await);
            assert!(sentence.contains(what), "{sentence}");
        };
        user_still("inline policies (1)").await;
        store.delete_inline_policy(&account, &ann, "own").await.unwrap();
        user_still("attached policies (1)").await;
        let sentence = conflict(store.delete_entity::<ManagedPolicy>(&account, "P").await);
        assert!(sentence.contains("attachments (1)"), "{sentence}");
        store.detach_policy(&account, &ann, "P").await.unwrap();
        user_still("access keys (1)").await;
        assert!(
            !store
                .delete_user_access_key(&account, "bob", &key.id)
                .await
                .unwrap()
        );
        assert!(
            store
                .delete_user_access_key(&account, "ann", &key.id)
                .await
                .unwrap()
        );
        assert!(store.access_key(&key.id).await.unwrap().is_none());
        user_still("memberships of groups (1)").await;
        let sentence = conflict(store.delete_entity::<Group>(&account, "crew").await);
        assert!(sentence.contains("members (1)"), "{sentence}");
        store.remove_from_group(&account, "crew", "ann").await.unwrap();
        store.delete_entity::<User>(&account, "ann").await.unwrap();
        store.delete_entity::<Group>(&account, "crew").await.unwrap();
        store.delete_entity::<ManagedPolicy>(&account, "P").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn limits_hold() {
    each_database(async |store, _| {
        let (account, ann) = (account(), Holder::user("ann"));
        user(&store, "ann").await;
        for n in 0..=10 {
            let name = format!("n{n}");
            policy(&store, &name).await;
            store.create_entity(&account, &name, Group {}).await.unwrap();
        }
        for n in 0..10 {
            let name = format!("n{n}");
            store.attach_policy(&account, &ann, &name).await.unwrap();
            store
                .put_inline_policy(&account, &ann, &name, &document("a:b"))
                .await
                .unwrap();
            store.add_to_group(&account, &name, "ann").await.unwrap();
        }
        over_limit(store.attach_policy(&account, &ann, "n10").await);
        over_limit(
            store
                .put_inline_policy(&account, &ann, "n10", &document("a:b"))
                .await,
        );
        over_limit(store.add_to_group(&account, "n10", "ann").await);
        // What was refused was not made.
        assert_eq!(store.held_policies(&account, &ann).await.unwrap().len(), 20);
        assert_eq!(store.groups_of(&account, "ann").await.unwrap().len(), 10);
        store
            .put_inline_policy(&account, &ann, "n9", &document("a:c"))
            .await
            .unwrap();

        let first = store.create_user_access_key(&account, "ann").await.unwrap();
        let second = store.create_user_access_key(&account, "ann").await.unwrap();
        assert_eq!(second.principal(), format!("arn:aws:iam::{account}:user/ann"));
        let sentence = over_limit(store.create_user_access_key(&account, "ann").await);
        assert!(sentence.contains("2 access keys already"), "{sentence}");
        let keys = store.user_access_keys(&account, "ann").await.unwrap();
        let mut ids: Vec<_> = keys.iter().map(|key| &key.id).collect();
        ids.sort();
        let mut expected = vec![&first.id, &second.id];
        expected.sort();
        assert_eq!(ids, expected);
        assert_eq!(keys[0].user.as_deref(), Some("ann"));
    })
    .await;
}

#[tokio::test]
async fn every_change_raises_the_revision_of_its_account() {
    each_database(async |store, _| {
        let account = account();
        let other: AccountId = "000000000001".into();
        assert_eq!(store.access_revision(&account).await.unwrap(), 0);
        store.create_access_key(Some(other.clone())).await.unwrap();
        assert_eq!(store.access_revision(&account).await.unwrap(), 0);
        let before = store.access_revision(&other).await.unwrap();
        assert!(before > 0);

        user(&store, "ann").await;
        let first = store.access_revision(&account).await.unwrap();
        let changes = store.access_changes();
        let key = store.create_user_access_key(&account, "ann").await.unwrap();
        store.set_access_key_enabled(&key.id, false).await.unwrap();
        assert_eq!(store.access_changes(), changes + 2);
        assert_eq!(store.access_revision(&account).await.unwrap(), first + 2);
        not_found(&store.delete_entity::<User>(&account, "nobody").await);
        assert_eq!(store.access_revision(&account).await.unwrap(), first + 2);
        assert_eq!(store.access_revision(&other).await.unwrap(), before);
    })
    .await;
}
