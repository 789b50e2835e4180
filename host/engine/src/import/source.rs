//! Where import files come from: S3 and what speaks its protocol, or a folder that the operator names.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use pinion_domain as domain;
use pinion_domain::job::ImportJobRequest;
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

const BUFFER: usize = 256 * 1024;

/// A file to read.
pub(super) struct Piece {
    /// For people.
    pub(super) name: String,
    place: Place,
}

enum Place {
    File(PathBuf),
    Object {
        store: Arc<dyn ObjectStore>,
        path: ObjectPath,
        runtime: tokio::runtime::Handle,
    },
}

/// Checks a job's URL when the job is made. `file://` needs a folder to be configured.
pub fn check_url(url: &str, folder: Option<&Path>) -> domain::Result<()> {
    let wrong = |problem: &str| domain::Error::invalid("S3Url", problem);
    let parsed = Url::parse(url).map_err(|_| wrong("must be s3://BUCKET/KEY or file:///PATH"))?;
    match parsed.scheme() {
        "s3" if parsed.host_str().is_some_and(|bucket| !bucket.is_empty()) => Ok(()),
        "s3" => Err(wrong("names no bucket")),
        "file" => {
            let folder =
                folder.ok_or_else(|| wrong("file:// is not open on this server (imports.folder)"))?;
            inside(&parsed, folder)
                .map(drop)
                .map_err(|sentence| wrong(&sentence))
        }
        _ => Err(wrong("must be s3://BUCKET/KEY or file:///PATH")),
    }
}

/// The real path of a `file://` URL, if it is below the folder with all links resolved.
fn inside(url: &Url, folder: &Path) -> Result<PathBuf, String> {
    // The same sentence for all, so that nothing outside can be explored.
    let outside = || "is not a readable file below the import folder".to_owned();
    let path = url.to_file_path().map_err(|()| outside())?;
    let folder = folder.canonicalize().map_err(|_| outside())?;
    let path = path.canonicalize().map_err(|_| outside())?;
    if path.starts_with(&folder) {
        Ok(path)
    } else {
        Err(outside())
    }
}

/// The files of a job, in order of name. An error is a sentence for the job.
pub(super) async fn pieces(job: &ImportJobRequest, folder: Option<&Path>) -> Result<Vec<Piece>, String> {
    let url = Url::parse(&job.s3_url).map_err(|error| format!("S3Url: {error}"))?;
    let pieces = if url.scheme() == "file" {
        let folder = folder.ok_or("file:// is not open on this server")?;
        let path = inside(&url, folder)?;
        let mut files = Vec::new();
        walk(&path, &job.format, true, &mut files).map_err(|error| format!("{}: {error}", job.s3_url))?;
        files.sort();
        files
            .into_iter()
            .map(|file| Piece {
                name: file
                    .file_name()
                    .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
                place: Place::File(file),
            })
            .collect()
    } else {
        objects(&url, &job.format).await?
    };
    if pieces.is_empty() {
        Err(format!("{}: no {} files", job.s3_url, job.format))
    } else {
        Ok(pieces)
    }
}

/// A file that was named is taken as it is; of a folder, only files of the job's format count. Links
/// inside a folder are not followed.
fn walk(path: &Path, format: &str, named: bool, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let meta = if named {
        fs::metadata(path)?
    } else {
        fs::symlink_metadata(path)?
    };
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), format, false, files)?;
        }
    } else if meta.is_file() && (named || has_format(&path.to_string_lossy(), format)) {
        files.push(path.to_owned());
    }
    Ok(())
}

fn has_format(name: &str, format: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.ends_with(&format!(".{}", format.to_ascii_lowercase()))
}

async fn objects(url: &Url, format: &str) -> Result<Vec<Piece>, String> {
    let bucket = url.host_str().ok_or("S3Url: names no bucket")?;
    let store = bucket_store(bucket).map_err(|error| format!("s3://{bucket}: {error}"))?;
    let key = percent_encoding::percent_decode_str(url.path().trim_start_matches('/')).decode_utf8_lossy();
    let prefix = ObjectPath::parse(key.trim_end_matches('/')).map_err(|error| format!("S3Url: {error}"))?;
    let runtime = tokio::runtime::Handle::current();
    let piece = |path: ObjectPath| Piece {
        name: format!("s3://{bucket}/{path}"),
        place: Place::Object {
            store: Arc::clone(&store),
            path,
            runtime: runtime.clone(),
        },
    };
    if !key.is_empty() && !key.ends_with('/') && store.head(&prefix).await.is_ok() {
        return Ok(vec![piece(prefix)]);
    }
    let found: Vec<_> = store
        .list(Some(&prefix))
        .try_collect()
        .await
        .map_err(|error| format!("s3://{bucket}/{prefix}: {error}"))?;
    let mut paths: Vec<ObjectPath> = found
        .into_iter()
        .map(|meta| meta.location)
        .filter(|path| has_format(path.as_ref(), format))
        .collect();
    paths.sort();
    Ok(paths.into_iter().map(piece).collect())
}

/// Credentials, region and endpoint come from the server's environment (`AWS_…`,
/// `AWS_ENDPOINT_URL_S3`).
fn bucket_store(bucket: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    // The operator's own environment names the endpoint, plain HTTP included.
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_allow_http(plain);
    Ok(Arc::new(builder.build()?))
}

impl Piece {
    /// Opens the file for reading on a blocking thread, unpacking gzip by its magic bytes.
    pub(super) fn open(self) -> Result<Box<dyn BufRead>, String> {
        let reader: Box<dyn Read + Send> = match self.place {
            Place::File(path) => Box::new(fs::File::open(path).map_err(|error| error.to_string())?),
            Place::Object { store, path, runtime } => {
                let object = runtime
                    .block_on(store.get(&path))
                    .map_err(|error| error.to_string())?;
                let stream = object.into_stream().map_err(std::io::Error::other);
                Box::new(SyncIoBridge::new_with_handle(StreamReader::new(stream), runtime))
            }
        };
        let mut reader = BufReader::with_capacity(BUFFER, reader);
        let packed = reader
            .fill_buf()
            .map_err(|error| error.to_string())?
            .starts_with(&[0x1f, 0x8b]);
        Ok(if packed {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_folder_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.csv"), "x").unwrap();
        fs::write(outside.path().join("secret.csv"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.csv"), folder.path().join("link.csv"))
            .unwrap();
        let check =
            |path: &Path| check_url(&format!("file://{}", path.display()), Some(folder.path())).is_ok();
        assert!(check(&folder.path().join("a.csv")));
        assert!(!check(&folder.path().join("link.csv")), "a link leads out");
        assert!(!check(&folder.path().join("../secret.csv")));
        assert!(!check(&outside.path().join("secret.csv")));
        assert!(!check(&folder.path().join("missing.csv")));
        assert!(check_url("file:///etc/passwd", None).is_err());
        assert!(check_url("https://example.com/a.csv", None).is_err());
        assert!(check_url("s3://bucket/key", None).is_ok());
    }

    #[test]
    fn formats_are_told_by_the_name() {
        assert!(has_format("a/b.CSV", "CSV") && has_format("a/b.json.gz", "JSON"));
        assert!(!has_format("a/b.txt", "CSV"));
    }
}
