//! Installing: what is refused, what stays, who sees what, and the copies of compiled code.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use pinion_domain::extension::channel::Verdict;
use pinion_domain::extension::{Caller, Grant, Owner, PluginError, PluginInfo, Plugins};
use pinion_domain::id::AccountId;
use pinion_sandbox::{Limits, Sandbox};

use crate::support::{account, caller, component, limits, message, open, sandbox, sandbox_in, sandbox_with};

async fn install(sandbox: &Sandbox, name: &str, bytes: impl Into<Bytes>) -> Result<PluginInfo, PluginError> {
    sandbox
        .install(Owner::Server, name, bytes.into(), Vec::new())
        .await
}

async fn refusal(sandbox: &Sandbox, name: &str, bytes: impl Into<Bytes>) -> String {
    match install(sandbox, name, bytes).await {
        Err(PluginError::Refused(sentence)) => sentence,
        other => panic!("{other:?} is not a refusal"),
    }
}

async fn serves(sandbox: &Sandbox, name: &str) -> bool {
    let channel = open(sandbox, name, Vec::new()).await;
    let verdicts = channel.send(vec![message("a", &[])]).await;
    matches!(verdicts[0], Verdict::Accepted(_))
}

#[tokio::test]
async fn what_is_refused_leaves_the_old_version_serving() {
    let sandbox = sandbox(&["null"]).await;
    let null = component("null");
    for (file, sentence) in [
        (Bytes::new(), "the file is not WebAssembly"),
        (Bytes::from_static(b"#!/bin/sh"), "the file is not WebAssembly"),
        (
            Bytes::from_static(b"\0asm\x01\0\0\0"),
            "the file is a core module",
        ),
        (
            Bytes::from_static(b"\0asm\x0d\0\x01\0"),
            "the component has no manifest",
        ),
        (null.slice(..null.len() / 2), "the file is not a valid component"),
        (component("bad/trap"), "the component's manifest names it trap"),
    ] {
        let refusal = refusal(&sandbox, "null", file).await;
        assert!(
            refusal.contains(sentence),
            "{refusal:?} does not say {sentence:?}"
        );
        assert!(refusal.starts_with("plugin null: "), "{refusal}");
        assert!(serves(&sandbox, "null").await);
    }
}

#[tokio::test]
async fn bytes_that_were_changed_are_refused_or_harmless() {
    let sandbox = sandbox_with(limits());
    let original = component("null").to_vec();
    // Spread over the file; whatever comes of it, the host lives and answers.
    for position in (8..original.len()).step_by(original.len() / 25) {
        let mut changed = original.clone();
        changed[position] ^= 0x55;
        match install(&sandbox, "null", changed).await {
            Ok(_) | Err(PluginError::Refused(_)) => {}
            other => panic!("byte {position}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_component_has_a_largest_size() {
    let sandbox = sandbox_with(Limits {
        component_bytes: 1_000,
        ..limits()
    });
    let refusal = refusal(&sandbox, "null", component("null")).await;
    assert!(refusal.ends_with("1000 are allowed"), "{refusal}");
}

#[tokio::test]
async fn compiling_has_a_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox_in(
        folder.path().to_owned(),
        [1; 32],
        Limits {
            compile: Duration::from_millis(1),
            ..limits()
        },
    );
    let refusal = refusal(&sandbox, "null", component("null")).await;
    assert_eq!(refusal, "plugin null: did not compile in 1ms");
}

#[tokio::test]
async fn compiled_code_that_was_tampered_with_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let start = |key: u8| sandbox_in(folder.path().to_owned(), [key; 32], limits());
    install(&start(1), "null", component("null")).await.unwrap();
    let files = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let [file] = files().try_into().expect("one component, one file");
    let written = std::fs::read(&file).unwrap();
    let modified = || std::fs::metadata(&file).unwrap().modified().unwrap();

    // As it was: used, not written again.
    let before = modified();
    install(&start(1), "null", component("null")).await.unwrap();
    assert_eq!(modified(), before);

    // One bit in the tag, in the code, or a part missing: compiled and written again.
    for tampered in [
        [&[written[0] ^ 1], &written[1..]].concat(),
        [&written[..written.len() - 1], &[written[written.len() - 1] ^ 1]].concat(),
        written[..written.len() / 2].to_vec(),
        written[..8].to_vec(),
        Vec::new(),
    ] {
        std::fs::write(&file, &tampered).unwrap();
        let sandbox = start(1);
        install(&sandbox, "null", component("null")).await.unwrap();
        assert!(serves(&sandbox, "null").await);
        assert_ne!(std::fs::read(&file).unwrap(), tampered);
    }

    // Written by a server with another key, or for another component.
    let foreign = std::fs::read(&file).unwrap();
    install(&start(2), "null", component("null")).await.unwrap();
    assert_ne!(std::fs::read(&file).unwrap()[..32], foreign[..32]);
    install(&start(2), "trap", component("bad/trap")).await.unwrap();
    let other = files().into_iter().find(|other| *other != file).unwrap();
    let genuine = std::fs::read(&other).unwrap();
    std::fs::copy(&file, &other).unwrap();
    let sandbox = start(2);
    install(&sandbox, "trap", component("bad/trap")).await.unwrap();
    assert_eq!(std::fs::read(&other).unwrap().len(), genuine.len());
    assert!(serves(&sandbox, "trap").await);
}

#[tokio::test]
async fn an_accounts_own_plugin_comes_first_and_is_nobody_elses() {
    let sandbox = sandbox(&["bad/swap-a"]).await;
    sandbox
        .install(account(), "swap", component("bad/swap-b"), Vec::new())
        .await
        .unwrap();
    let stranger = Caller {
        account: AccountId::from("222222222222"),
        ..caller()
    };
    let version = async |caller: &Caller| {
        let binding = pinion_domain::extension::Binding {
            plugin: "swap".to_owned(),
            settings: serde_json::json!({}),
            grants: Vec::new(),
        };
        sandbox.channel(caller, &binding).await.unwrap().name().1
    };
    assert_eq!(version(&caller()).await, "2");
    assert_eq!(version(&stranger).await, "1");

    let owners = |account: &AccountId| {
        let infos = sandbox.list(account);
        infos
            .into_iter()
            .map(|info| (info.owner, info.manifest.version))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        owners(&caller().account),
        [(account(), "2".to_owned()), (Owner::Server, "1".to_owned())]
    );
    assert_eq!(owners(&stranger.account), [(Owner::Server, "1".to_owned())]);

    assert!(sandbox.remove(&account(), "swap").await);
    assert!(!sandbox.remove(&account(), "swap").await);
    assert_eq!(version(&caller()).await, "1");
}

#[tokio::test]
async fn grants_are_shown_and_replaced() {
    let sandbox = sandbox_with(limits());
    let grants: Vec<Grant> = vec!["https://api.example.com:443".parse().unwrap()];
    let info = sandbox
        .install(Owner::Server, "null", component("null"), grants.clone())
        .await
        .unwrap();
    assert_eq!(info.grants, grants);
    assert_eq!(
        (info.digest.len(), info.size),
        (64, component("null").len() as u64)
    );
    let info = sandbox.grant(&Owner::Server, "null", Vec::new()).await.unwrap();
    assert_eq!(info.grants, []);
    assert_eq!(sandbox.list(&caller().account), [info]);
    let missing = sandbox.grant(&account(), "null", Vec::new()).await;
    assert_eq!(missing, Err(PluginError::NotFound("null".to_owned())));
}

#[tokio::test]
async fn a_folder_is_loaded_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    put("a-null.wasm", &component("null"));
    put("broken.wasm", b"\0asm\x01\0\0\0");
    put("README.md", b"not a plugin");
    let grant: Grant = "https://x.test:443".parse().unwrap();
    let grants = HashMap::from([("null".to_owned(), vec![grant.clone()])]);
    let sandbox = sandbox_with(limits());
    let results = sandbox.load_folder(folder.path(), &grants).await.unwrap();
    let [(first, loaded), (second, refused)] = results.try_into().expect("two files are plugins");
    assert!(first.ends_with("a-null.wasm") && second.ends_with("broken.wasm"));
    let info = loaded.unwrap();
    assert_eq!((info.manifest.name.as_str(), info.grants), ("null", vec![grant]));
    assert!(matches!(refused, Err(PluginError::Refused(_))));
    assert!(
        sandbox
            .load_folder(&folder.path().join("absent"), &grants)
            .await
            .is_err()
    );
}
