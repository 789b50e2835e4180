//! Compiled code, and its copies on disk. A copy is native code, so it is only loaded when its
//! authentication code shows that this server wrote it, for this component and this engine.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Bytes of an authentication code.
const TAG_BYTES: usize = 32;

/// Where compiled code is kept.
pub struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
}

impl CodeCache {
    /// Uses a folder, making it if need be. `key` authenticates what lies there.
    pub fn open(folder: PathBuf, key: [u8; 32]) -> std::io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, key })
    }

    /// The compiled form of a component: from disk, or compiled now and written there. Blocks, for
    /// seconds if the component is large. The error is a sentence.
    pub fn compile(&self, engine: &Engine, digest: &str, bytes: &[u8]) -> Result<Component, String> {
        let name = format!("{digest}-{}", fingerprint(engine));
        let path = self.folder.join(format!("{name}.cwasm"));
        match self.load(engine, &name, &path) {
            Ok(Some(component)) => return Ok(component),
            Ok(None) => {}
            Err(problem) => tracing::warn!(file = %path.display(), "compiled code is not used: {problem}"),
        }
        let component = Component::from_binary(engine, bytes)
            .map_err(|error| format!("the component does not compile: {}", one_line(&error)))?;
        if let Err(error) = self.save(&name, &path, &component) {
            tracing::warn!(file = %path.display(), "compiled code is not kept: {error}");
        }
        Ok(component)
    }

    fn load(&self, engine: &Engine, name: &str, path: &Path) -> Result<Option<Component>, String> {
        let file = match std::fs::read(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let (tag, code) = file.split_at_checked(TAG_BYTES).ok_or("it is cut short")?;
        self.tag(name, code)
            .verify_slice(tag)
            .map_err(|_| "this server did not write it, or it was changed since".to_owned())?;
        #[expect(unsafe_code, reason = "wasmtime has no other way to load compiled code")]
        // SAFETY: the tag shows that these bytes are what `Component::serialize` gave this server for
        // the same component and an engine of the same fingerprint.
        let component = unsafe { Component::deserialize(engine, code) };
        component.map(Some).map_err(|error| one_line(&error))
    }

    fn save(&self, name: &str, path: &Path, component: &Component) -> Result<(), String> {
        let code = component.serialize().map_err(|error| one_line(&error))?;
        let tag = self.tag(name, &code).finalize().into_bytes();
        // Written beside and renamed, so that nobody ever reads half a file.
        let mut unique = [0; 8];
        rand::Rng::fill_bytes(&mut rand::rng(), &mut unique);
        let draft = path.with_extension(hex::encode(unique));
        let written = std::fs::write(&draft, [tag.as_slice(), &code].concat())
            .and_then(|()| std::fs::rename(&draft, path));
        written.map_err(|error| {
            // Best effort: the draft may not even exist.
            drop(std::fs::remove_file(&draft));
            error.to_string()
        })
    }

    fn tag(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut tag = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        tag.update(b"pinion compiled component\0");
        tag.update(name.as_bytes());
        tag.update(b"\0");
        tag.update(code);
        tag
    }
}

/// SHA-256 of a component file, hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What code depends on beside the component: wasmtime's version, the engine's settings, the CPU.
fn fingerprint(engine: &Engine) -> String {
    #[derive(Default)]
    struct Sink(Sha256);

    impl Hasher for Sink {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            // Never asked for: the digest is taken whole.
            0
        }
    }

    let mut sink = Sink::default();
    engine.precompile_compatibility_hash().hash(&mut sink);
    hex::encode(&sink.0.finalize()[..16])
}

/// An error and its causes.
pub fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}
