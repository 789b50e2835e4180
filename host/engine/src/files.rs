//! Where files of jobs are: S3 and what speaks its protocol, or a folder that the operator names.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use url::Url;

/// A bucket. Credentials, region and endpoint come from the server's environment (`AWS_…`,
/// `AWS_ENDPOINT_URL_S3`).
pub(crate) fn bucket(name: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    // The operator's own environment names the endpoint, plain HTTP included.
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let builder = AmazonS3Builder::from_env()
        .with_bucket_name(name)
        .with_allow_http(plain);
    match builder.build() {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(format!("s3://{name}: {error}")),
    }
}

/// The key of an `s3://` URL as its client means it, without slashes around it.
pub(crate) fn key(url: &Url) -> Result<ObjectPath, String> {
    let key = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
    ObjectPath::parse(key.trim_matches('/')).map_err(|error| error.to_string())
}

/// The real path of a `file://` URL, if it is there and below the folder with all links resolved.
pub(crate) fn inside(url: &Url, folder: &Path) -> Option<PathBuf> {
    let path = url.to_file_path().ok()?.canonicalize().ok()?;
    path.starts_with(folder.canonicalize().ok()?).then_some(path)
}

/// The same for a path that need not be there yet: as much of it as is there must be below the folder.
pub(crate) fn inside_when_made(url: &Url, folder: &Path) -> Option<PathBuf> {
    let path = url.to_file_path().ok()?;
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let there = path.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let missing = path.strip_prefix(there).ok()?;
    let there = there.canonicalize().ok()?;
    (plain && there.starts_with(folder.canonicalize().ok()?)).then(|| there.join(missing))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_paths_below_the_folder_are_inside() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("a.csv"), "x").unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        symlink(folder.path().join("nowhere"), folder.path().join("dangling")).unwrap();
        let url = |path: &Path| Url::parse(&format!("file://{}", path.display())).unwrap();
        for (path, is_there, can_be_made) in [
            (folder.path().join("a.csv"), true, true),
            (folder.path().join("sub"), true, true),
            (folder.path().join("sub/new/deep"), false, true),
            (folder.path().join("missing"), false, true),
            (folder.path().join("link"), false, false),
            (folder.path().join("link/new"), false, false),
            (folder.path().join("dangling"), false, false),
            (folder.path().join("dangling/new"), false, false),
            (folder.path().join("../secret"), false, false),
            (outside.path().to_owned(), false, false),
            (PathBuf::from("/etc/passwd"), false, false),
        ] {
            let url = url(&path);
            assert_eq!(
                inside(&url, folder.path()).is_some(),
                is_there,
                "{}",
                path.display()
            );
            assert_eq!(
                inside_when_made(&url, folder.path()).is_some(),
                can_be_made,
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn keys_are_what_the_client_wrote() {
        for (url, expected) in [
            ("s3://b/", Some("")),
            ("s3://b/folder/", Some("folder")),
            ("s3://b/a%20b/ż/x.csv", Some("a b/ż/x.csv")),
            ("s3://b/a//b", None),
        ] {
            let key = key(&Url::parse(url).unwrap()).ok();
            assert_eq!(key.as_ref().map(AsRef::as_ref), expected, "{url}");
        }
    }
}
