// A real server with the outbox as sink, for pages to look at.
"use strict";

const { spawn, execFile } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { promisify } = require("node:util");

const run = promisify(execFile);
const binary = process.env.PINION ?? path.join(__dirname, "../../target/debug/pinion");

/** The first true answer of `condition`; fails if there is none in time. */
async function waitFor(condition, what, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const listener = net.createServer();
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

class Server {
  static async start() {
    const server = new Server();
    const [port, smtp] = [await freePort(), await freePort()];
    server.folder = fs.mkdtempSync(path.join(os.tmpdir(), "pinion-browser-"));
    server.data = path.join(server.folder, "data");
    server.url = `http://127.0.0.1:${port}`;
    server.environment = {
      ...process.env,
      AWS_ENDPOINT_URL: server.url,
      AWS_DEFAULT_REGION: "eu-central-1",
      PINION_OUTBOX__SMTP_LISTEN: `127.0.0.1:${smtp}`,
      PINION_BINDINGS__EMAIL__PLUGIN: "email-smtp",
      PINION_BINDINGS__EMAIL__SETTINGS__HOST: "127.0.0.1",
      PINION_BINDINGS__EMAIL__SETTINGS__PORT: String(smtp),
      PINION_BINDINGS__EMAIL__SETTINGS__TLS: "none",
    };
    const log = fs.openSync(path.join(process.env.PINION_OUT ?? server.folder, "server.log"), "w");
    server.process = spawn(binary, ["serve", "--data", server.data, "--listen", `127.0.0.1:${port}`], {
      env: server.environment,
      stdio: ["ignore", log, log],
    });
    server.ended = new Promise((resolve) => server.process.once("exit", (code) => resolve(code)));
    await waitFor(async () => {
      if (server.process.exitCode !== null) throw new Error("the server ended; its log says why");
      try {
        return (await fetch(`${server.url}/readyz`)).ok;
      } catch {
        return false;
      }
    }, "the server");
    const key = JSON.parse(await server.pinion("key", "create", "--data", server.data, "--json"));
    server.environment.AWS_ACCESS_KEY_ID = key.AccessKeyId;
    server.environment.AWS_SECRET_ACCESS_KEY = key.SecretAccessKey;
    return server;
  }

  /** Runs a command beside the server, and gives what it prints. */
  async pinion(...command) {
    const { stdout } = await run(binary, command, { env: this.environment, maxBuffer: 1 << 28 });
    return stdout.trim();
  }

  /** A signed call of the API. */
  async call(method, url, body) {
    const answer = await this.pinion("call", method, url, ...(body ? [JSON.stringify(body)] : []));
    return answer ? JSON.parse(answer) : null;
  }

  /** A link that opens the console once, on a page. */
  async link(next) {
    const link = await this.pinion("console", "link", "--data", this.data, "--url", this.url);
    return `${link}&next=${encodeURIComponent(next)}`;
  }

  /** SIGTERM drains, and the server ends with 0. */
  async stop() {
    this.process.kill("SIGTERM");
    const code = await this.ended;
    fs.rmSync(this.folder, { recursive: true });
    return code;
  }
}

module.exports = { Server, waitFor };
