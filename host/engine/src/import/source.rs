//! Where import files come from: S3 and what speaks its protocol, or a folder that the operator names.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use futures_util::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use pinion_domain as domain;
use pinion_domain::job::ImportJobRequest;
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

use crate::files;

/// The same sentence for all, so that nothing outside can be explored.
const OUTSIDE: &str = "is not a readable file below the import folder";

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
            match files::inside(&parsed, folder) {
                Some(_) => Ok(()),
                None => Err(wrong(OUTSIDE)),
            }
        }
        _ => Err(wrong("must be s3://BUCKET/KEY or file:///PATH")),
    }
}

/// The files of a job, in order of name. An error is a sentence for the job.
pub(super) async fn pieces(job: &ImportJobRequest, folder: Option<&Path>) -> Result<Vec<Piece>, String> {
    let url = Url::parse(&job.s3_url).map_err(|error| format!("S3Url: {error}"))?;
    let pieces = if url.scheme() == "file" {
        let folder = folder.ok_or("file:// is not open on this server")?;
        let path = files::inside(&url, folder).ok_or(OUTSIDE)?;
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

/// Pinpoint's own exports are JSON called `KEY.gz`, so a packed file that does not say what it holds counts
/// as JSON.
fn has_format(name: &str, format: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.rsplit('/').next().unwrap_or_default();
    let (name, packed) = match name.strip_suffix(".gz") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let says = |format: &str| name.ends_with(&format!(".{format}"));
    says(&format.to_ascii_lowercase()) || (packed && format == "JSON" && !says("csv"))
}

async fn objects(url: &Url, format: &str) -> Result<Vec<Piece>, String> {
    let bucket = url.host_str().ok_or("S3Url: names no bucket")?;
    let store = files::bucket(bucket)?;
    let prefix = files::key(url).map_err(|problem| format!("S3Url: {problem}"))?;
    let runtime = tokio::runtime::Handle::current();
    let piece = |path: ObjectPath| Piece {
        name: format!("s3://{bucket}/{path}"),
        place: Place::Object {
            store: Arc::clone(&store),
            path,
            runtime: runtime.clone(),
        },
    };
    let is_folder = prefix.as_ref().is_empty() || url.path().ends_with('/');
    if !is_folder && store.head(&prefix).await.is_ok() {
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
    fn file_urls_need_a_folder_and_stay_below_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.csv"), "x").unwrap();
        let check =
            |path: &Path| check_url(&format!("file://{}", path.display()), Some(folder.path())).is_ok();
        assert!(check(&folder.path().join("a.csv")));
        assert!(!check(&folder.path().join("../secret.csv")));
        assert!(check_url("file:///etc/passwd", None).is_err());
        assert!(check_url("https://example.com/a.csv", None).is_err());
        assert!(check_url("s3://bucket/key", None).is_ok());
    }

    #[test]
    fn formats_are_told_by_the_name() {
        for (name, is_csv, is_json) in [
            ("a/b.CSV", true, false),
            ("a/b.csv.gz", true, false),
            ("a/b.json", false, true),
            ("a/b.json.gz", false, true),
            // As Pinpoint exports.
            ("export/6c99c463f14f49caa87fa27a5798bef9.gz", false, true),
            ("a/b.txt", false, false),
        ] {
            assert_eq!(has_format(name, "CSV"), is_csv, "{name}");
            assert_eq!(has_format(name, "JSON"), is_json, "{name}");
        }
    }
}
