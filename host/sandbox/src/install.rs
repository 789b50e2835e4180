//! From a file to a version that can serve: read, compile, try. Whatever fails here leaves the
//! version that serves now as it is.

use std::sync::Arc;

use bytes::Bytes;
use pinion_bindings::channel::ChannelPluginPre;
use pinion_bindings::personalizer::PersonalizerPluginPre;
use pinion_bindings::predicate::PredicatePluginPre;
use pinion_domain::extension::{Caller, Kind, Manifest, Owner, PluginError};
use pinion_domain::id::{AccountId, AppId};
use wasmtime::component::Component;

use crate::channel::state::Bound;
use crate::channel::{self, settings::Settings};
use crate::code::{CodeCache, digest, one_line};
use crate::inspect::inspect;
use crate::plugin::{Code, Version};
use crate::pure;
use crate::services::Services;

/// Compiles and tries a component.
pub async fn prepare(
    services: &Arc<Services>,
    cache: &Arc<CodeCache>,
    owner: Owner,
    name: &str,
    component: Bytes,
) -> Result<Arc<Version>, PluginError> {
    let refused = |problem: String| PluginError::Refused(format!("plugin {name}: {problem}"));
    let most = services.limits.component_bytes;
    if component.len() > most {
        return Err(refused(format!(
            "the component has {} bytes; {most} are allowed",
            component.len()
        )));
    }
    let size = component.len() as u64;
    let compiling = {
        let (services, cache, name) = (services.clone(), cache.clone(), name.to_owned());
        async move {
            // Few at a time, however many are uploaded at once.
            let turn = services.compiler_turn().await;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                compile(&services, &cache, &name, &component)
            })
            .await
        }
    };
    // A compiler that is still busy then goes on in its thread; nobody waits for it.
    let compiled = tokio::time::timeout(services.limits.compile, compiling)
        .await
        .map_err(|_| refused(format!("did not compile in {:?}", services.limits.compile)))?
        .map_err(|_| refused("the compiler panicked".to_owned()))?;
    let (manifest, digest, component) = compiled.map_err(refused)?;
    let code = link(services, manifest.kind, &component).map_err(refused)?;
    let version = Arc::new(Version {
        owner,
        manifest,
        digest,
        size,
        code,
    });
    attempt(services, &version)
        .await
        .map_err(|error| refused(format!("cannot be started: {error}")))?;
    Ok(version)
}

/// Reads and compiles. Blocks; the error is a sentence.
fn compile(
    services: &Services,
    cache: &CodeCache,
    name: &str,
    bytes: &[u8],
) -> Result<(Manifest, String, Component), String> {
    let manifest = inspect(bytes)?;
    if manifest.name != name {
        return Err(format!("the component's manifest names it {}", manifest.name));
    }
    let digest = digest(bytes);
    let component = cache.compile(services.engines.of(manifest.kind), &digest, bytes)?;
    Ok((manifest, digest, component))
}

/// Finds everything that the component imports and exports.
fn link(services: &Services, kind: Kind, component: &Component) -> Result<Code, String> {
    let engines = &services.engines;
    let code = match kind {
        Kind::Channel => engines
            .io_linker()
            .instantiate_pre(component)
            .and_then(ChannelPluginPre::new)
            .map(Code::Channel),
        Kind::Predicate => engines
            .pure_linker()
            .instantiate_pre(component)
            .and_then(PredicatePluginPre::new)
            .map(Code::Predicate),
        Kind::Personalizer => engines
            .pure_linker()
            .instantiate_pre(component)
            .and_then(PersonalizerPluginPre::new)
            .map(Code::Personalizer),
    };
    code.map_err(|error| {
        format!(
            "the component does not fit the {kind} world: {}",
            one_line(&error)
        )
    })
}

/// Starts an instance and throws it away. Nothing of the plugin's own is called: it has no settings.
async fn attempt(services: &Arc<Services>, version: &Arc<Version>) -> Result<(), PluginError> {
    let (services, version) = (services.clone(), version.clone());
    match &version.code {
        Code::Channel(component) => {
            let bound = Bound {
                services,
                caller: Caller {
                    account: AccountId::from(""),
                    app: AppId::from(""),
                },
                store_name: version.store_name(),
                settings: Settings::default(),
            };
            channel::instance::ChannelInstance::new(&version, component, Arc::new(bound))
                .await
                .map(drop)
        }
        Code::Predicate(_) | Code::Personalizer(_) => {
            tokio::task::spawn_blocking(move || pure::attempt(&services, &version))
                .await
                .map_err(|_| PluginError::Refused("the host panicked".to_owned()))?
        }
    }
}
