//! The server of the demo, and the ways to talk to it: its command line, signed calls, and plain HTTP.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

use crate::workspace::output;

/// How long anything may take that the demo waits for.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// How often it looks.
pub const GLANCE: Duration = Duration::from_millis(100);
const REGION: &str = "eu-central-1";

/// A running server. Dropping it ends the server and removes its folder.
pub struct Server {
    binary: PathBuf,
    folder: TempDir,
    process: Child,
    listen: String,
    smtp: String,
    key: Value,
    agent: Agent,
}

impl Server {
    /// Starts it on a temporary folder and makes an access key.
    pub fn start(binary: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pinion-demo-").tempdir()?;
        fs::create_dir(folder.path().join("imports"))?;
        let (listen, smtp) = (free_address()?, free_address()?);
        let (host, port) = smtp.split_once(':').context("an address has a port")?;
        let config = folder.path().join("pinion.toml");
        // What an operator would write; `retry_first_seconds` only so that the demo need not wait long.
        fs::write(
            &config,
            format!(
                "[outbox]\nsmtp_listen = \"{smtp}\"\n\n\
                 [bindings.EMAIL]\nplugin = \"email-smtp\"\n\
                 settings = {{ host = \"{host}\", port = {port}, tls = \"none\" }}\n\n\
                 [imports]\nfolder = {:?}\n\n\
                 [engine]\nretry_first_seconds = 1\n",
                folder.path().join("imports"),
            ),
        )?;
        let log = File::create(folder.path().join("server.log"))?;
        let process = Command::new(binary)
            .arg("serve")
            .args(["--listen", &listen, "--data"])
            .arg(folder.path().join("data"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .user_agent("pinion-demo")
            .build()
            .new_agent();
        let mut server = Self {
            binary: binary.to_owned(),
            folder,
            process,
            listen,
            smtp,
            key: Value::Null,
            agent,
        };
        if let Err(error) = server.wait_until_ready() {
            return Err(server.explain(error));
        }
        let key = output(
            Command::new(binary)
                .args(["key", "create", "--json", "--data"])
                .arg(server.data()),
        )?;
        server.key = serde_json::from_str(&key).context("the key is JSON")?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let since = Instant::now();
        while self.get("/readyz").is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended: {status}");
            }
            ensure!(since.elapsed() < PATIENCE, "the server does not get ready");
            sleep(GLANCE);
        }
        Ok(())
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder below which `file://` imports may read.
    pub fn imports(&self) -> PathBuf {
        self.folder.path().join("imports")
    }

    /// Where it serves HTTP.
    pub fn address(&self) -> &str {
        &self.listen
    }

    /// Where its outbox takes mail.
    pub fn smtp(&self) -> &str {
        &self.smtp
    }

    /// What makes AWS's SDKs and CLI talk to it.
    pub fn environment(&self) -> [String; 4] {
        let of_key = |name: &str| self.key[name].as_str().unwrap_or_default();
        [
            format!("export AWS_ENDPOINT_URL=http://{}", self.listen),
            format!("export AWS_DEFAULT_REGION={REGION}"),
            format!("export AWS_ACCESS_KEY_ID={}", of_key("AccessKeyId")),
            format!("export AWS_SECRET_ACCESS_KEY={}", of_key("SecretAccessKey")),
        ]
    }

    /// The account of the demo's key.
    pub fn account(&self) -> &str {
        self.key["AccountId"].as_str().unwrap_or_default()
    }

    /// Names of the plugins that it has.
    pub fn plugins(&self) -> Result<Vec<String>> {
        let plugins = self.call("GET", "/pinion/v1/plugins", None)?;
        let names = plugins["Item"].as_array().into_iter().flatten();
        Ok(names
            .filter_map(|plugin| Some(plugin["Name"].as_str()?.to_owned()))
            .collect())
    }

    /// A signed call of the API. A status other than 2xx is an error with the server's own words.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut call = Command::new(&self.binary);
        call.args(["call", method, path]).args(body.map(Value::to_string));
        call.env("AWS_ENDPOINT_URL", format!("http://{}", self.listen))
            .env("AWS_DEFAULT_REGION", REGION);
        for (name, member) in [
            ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
            ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ] {
            call.env(name, self.key[member].as_str().unwrap_or_default());
        }
        let answer = output(&mut call)?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer).with_context(|| format!("{method} {path} answered no JSON: {answer}"))
    }

    /// A link to a page of the console, good once.
    pub fn link(&self, page: &str) -> Result<String> {
        let url = format!("http://{}", self.listen);
        let link = output(
            Command::new(&self.binary)
                .args(["console", "link", "--url", &url, "--data"])
                .arg(self.data()),
        )?;
        Ok(format!("{link}&next={page}"))
    }

    /// The cookie of a console session.
    pub fn session(&self) -> Result<String> {
        let entered = self.agent.get(self.link("/outbox")?).call()?;
        let cookie = entered
            .headers()
            .get("set-cookie")
            .context("the link opens a session")?;
        Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned())
    }

    /// A plain GET of a path.
    pub fn get(&self, path: &str) -> Result<()> {
        self.visit(&format!("http://{}{path}", self.listen))
    }

    /// A plain GET of an address: 2xx and redirects are fine, and nothing is followed.
    pub fn visit(&self, url: &str) -> Result<()> {
        let status = self.agent.get(url).call()?.status();
        ensure!(
            status.is_success() || status.is_redirection(),
            "GET {url}: {status}"
        );
        Ok(())
    }

    /// One click in a mail program that knows RFC 8058.
    pub fn unsubscribe(&self, url: &str) -> Result<()> {
        let status = self
            .agent
            .post(url)
            .send_form([("List-Unsubscribe", "One-Click")])?
            .status();
        ensure!(status.is_success(), "POST {url}: {status}");
        Ok(())
    }

    /// JSON of the console.
    pub fn console(&self, path: &str, session: &str) -> Result<Value> {
        let url = format!("http://{}{path}", self.listen);
        let mut answer = self.agent.get(&url).header("cookie", session).call()?;
        let status = answer.status();
        ensure!(status.is_success(), "GET {url}: {status}");
        let text = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Adds the last lines of the server's log to an error.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        error.context(format!("the demo failed; the server's log ends with\n{tail}\n"))
    }

    /// Waits until it ends by itself, as an interrupt makes it do.
    pub fn wait(&mut self) -> Result<()> {
        self.process.wait()?;
        Ok(())
    }

    /// Lets it finish what it took, and expects it to end in peace.
    pub fn stop(&mut self) -> Result<()> {
        terminate(&self.process)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.process.try_wait() {
            return;
        }
        // The folder must not go before the server that writes there.
        if terminate(&self.process).is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// The standard library only knows how to kill.
fn terminate(process: &Child) -> Result<()> {
    output(Command::new("kill").arg(process.id().to_string())).map(drop)
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
