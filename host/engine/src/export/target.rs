//! Where exported files go. A file shows up when it is complete, and not before.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use object_store::{Error as ObjectError, ObjectStore, ObjectStoreExt as _};
use pinion_domain as domain;
use tokio::io::AsyncWriteExt as _;
use tokio::task::spawn_blocking;
use tracing::warn;
use url::Url;

use crate::files;

/// The same sentence for all, so that nothing outside can be explored.
const OUTSIDE: &str = "is not a path below the export folder";

/// Parts of ten megabytes that are on their way at once: they are what an export holds in memory.
const UPLOADS: usize = 2;

/// A folder, here or in a bucket.
pub(super) enum Target {
    Folder(PathBuf),
    Bucket {
        name: String,
        store: Arc<dyn ObjectStore>,
        folder: ObjectPath,
    },
}

/// Checks a job's URL when the job is made. `file://` needs a folder to be configured.
pub fn check_url(url: &str, folder: Option<&Path>) -> domain::Result<()> {
    let wrong = |problem: &str| domain::Error::invalid("S3UrlPrefix", problem);
    let parsed = Url::parse(url).map_err(|_| wrong("must be s3://BUCKET/FOLDER/"))?;
    match parsed.scheme() {
        "s3" if parsed.host_str().is_none_or(str::is_empty) => Err(wrong("names no bucket")),
        "s3" => files::key(&parsed).map(drop).map_err(|problem| wrong(&problem)),
        "file" => {
            let folder =
                folder.ok_or_else(|| wrong("file:// is not open on this server (exports.folder)"))?;
            match files::inside_when_made(&parsed, folder) {
                Some(_) => Ok(()),
                None => Err(wrong(OUTSIDE)),
            }
        }
        _ => Err(wrong(
            "must be s3://BUCKET/FOLDER/, or file://PATH below the folder that the server's config names",
        )),
    }
}

impl Target {
    /// Opens the place that a URL names. An error is a sentence for the job.
    pub(super) async fn open(url: &str, folder: Option<&Path>) -> Result<Self, String> {
        check_url(url, folder).map_err(|error| error.to_string())?;
        let parsed = Url::parse(url).map_err(|error| error.to_string())?;
        let Some(root) = folder.filter(|_| parsed.scheme() == "file") else {
            let name = parsed.host_str().unwrap_or_default();
            return Ok(Self::Bucket {
                name: name.to_owned(),
                store: files::bucket(name)?,
                folder: files::key(&parsed)?,
            });
        };
        let root = root.to_owned();
        let url = url.to_owned();
        blocking(move || {
            let outside = || format!("{url}: {OUTSIDE}");
            let path = files::inside_when_made(&parsed, &root).ok_or_else(outside)?;
            fs::create_dir_all(&path).map_err(|error| format!("{url}: {error}"))?;
            // Looked at again, now that it is there.
            files::inside(&parsed, &root)
                .map(Self::Folder)
                .ok_or_else(outside)
        })
        .await
    }

    /// Begins a file.
    pub(super) async fn create(&self, name: &str) -> Result<Piece, String> {
        match self {
            Self::Folder(folder) => {
                let (partial, path) = (partial(folder, name), folder.join(name));
                blocking(move || {
                    let file = File::create(&partial).map_err(|error| error.to_string())?;
                    Ok(Piece::File { file, partial, path })
                })
                .await
            }
            Self::Bucket { store, folder, .. } => {
                let writer = BufWriter::new(Arc::clone(store), folder.clone().join(name));
                Ok(Piece::Object(Box::new(writer.with_max_concurrency(UPLOADS))))
            }
        }
    }

    /// Removes a file, if it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<(), String> {
        match self {
            Self::Folder(folder) => {
                let paths = [partial(folder, name), folder.join(name)];
                blocking(move || {
                    for path in paths {
                        match fs::remove_file(&path) {
                            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                                return Err(format!("{}: {error}", path.display()));
                            }
                            _ => {}
                        }
                    }
                    Ok(())
                })
                .await
            }
            Self::Bucket {
                name: bucket,
                store,
                folder,
            } => {
                let path = folder.clone().join(name);
                match store.delete(&path).await {
                    Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
                    Err(error) => Err(format!("s3://{bucket}/{path}: {error}")),
                }
            }
        }
    }
}

/// Where a file grows until it is complete.
fn partial(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}.partial"))
}

/// A file that is being written.
pub(super) enum Piece {
    File {
        file: File,
        partial: PathBuf,
        path: PathBuf,
    },
    Object(Box<BufWriter>),
}

impl Piece {
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), String> {
        match self {
            Self::File { file, .. } => {
                let mut file = file.try_clone().map_err(|error| error.to_string())?;
                blocking(move || file.write_all(&bytes).map_err(|error| error.to_string())).await
            }
            Self::Object(writer) => writer.put(bytes).await.map_err(|error| error.to_string()),
        }
    }

    /// Makes the file show up.
    pub(super) async fn complete(self) -> Result<(), String> {
        match self {
            Self::File { file, partial, path } => {
                blocking(move || {
                    file.sync_all()
                        .and_then(|()| fs::rename(&partial, &path))
                        .map_err(|error| error.to_string())
                })
                .await
            }
            Self::Object(mut writer) => writer.shutdown().await.map_err(|error| error.to_string()),
        }
    }

    /// Leaves nothing behind, as far as that can be: what is left is written over or removed by the job's
    /// next attempt.
    pub(super) async fn abandon(self) {
        let removed = match self {
            Self::File { partial, .. } => {
                blocking(move || fs::remove_file(&partial).map_err(|error| error.to_string())).await
            }
            Self::Object(mut writer) => writer.abort().await.map_err(|error| error.to_string()),
        };
        if let Err(error) = removed {
            warn!(%error, "half a file was left behind");
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(panic.to_string()))
}
