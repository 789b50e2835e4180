// The two pages of the console as people see them: the outbox with a message rendered, and a campaign's
// report whose figures are those of the API.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { after, before, test } = require("node:test");
const { chromium } = require("playwright-core");
const { Server, waitFor } = require("./server.js");

const PEOPLE = 60;
const out = process.env.PINION_OUT ?? fs.mkdtempSync(path.join(require("node:os").tmpdir(), "pinion-pages-"));

let server, browser, profile, page, app, campaign;
const complaints = [];

before(async () => {
  server = await Server.start();
  await runCampaign();
  profile = fs.mkdtempSync(path.join(server.folder, "chromium-"));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1200, height: 900 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  page = await browser.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
});

after(async () => {
  await browser?.close();
  if (server) assert.equal(await server.stop(), 0, "the server drains and ends in peace");
});

/** Sixty people, two treatments, a holdout; some addresses bounce. */
async function runCampaign() {
  app = (await server.call("POST", "/v1/apps", { Name: "Harbour Books" })).Id;
  const channel = { FromAddress: "Harbour Books <letters@books.test>", Identity: "books.test" };
  await server.call("PUT", `/v1/apps/${app}/channels/email`, channel);
  const people = Array.from({ length: PEOPLE }, (_, n) => ({
    Id: `p${n}`,
    ChannelType: "EMAIL",
    Address: `${n % 20 === 0 ? "bounce+" : ""}p${n}@example.com`,
    OptOut: n % 15 === 7 ? "ALL" : "NONE",
    Attributes: { title: [`<Żółw & "${n}">`] },
  }));
  await server.call("PUT", `/v1/apps/${app}/endpoints`, { Item: people });
  const dimensions = { Demographic: { Channel: { DimensionType: "INCLUSIVE", Values: ["EMAIL"] } } };
  const segment = await server.call("POST", `/v1/apps/${app}/segments`, { Name: "all", Dimensions: dimensions });
  const message = (letter) => ({
    EmailMessage: {
      Title: `${letter}: {{Attributes.title}}`,
      Body: "as text",
      HtmlBody: `<html><body><h1>Letter ${letter}</h1><p id="title">{{Attributes.title}}</p>
        <script>document.title = "scripts run"</script><a href="https://books.test/${letter}">Go</a></body></html>`,
    },
  });
  campaign = await server.call("POST", `/v1/apps/${app}/campaigns`, {
    Name: "Autumn <letter>",
    SegmentId: segment.Id,
    Schedule: { StartTime: "IMMEDIATE" },
    TreatmentName: "Warm",
    MessageConfiguration: message("a"),
    AdditionalTreatments: [{ TreatmentName: "Short", SizePercent: 45, MessageConfiguration: message("b") }],
    HoldoutPercent: 10,
  });
  await waitFor(async () => {
    const now = await server.call("GET", `/v1/apps/${app}/campaigns/${campaign.Id}`);
    return now.State.CampaignStatus === "COMPLETED";
  }, "the campaign");
}

/** What is kept in the outbox, as its own JSON tells it. */
async function mails() {
  const answer = await page.request.get(`${server.url}/outbox/api/messages?limit=1000`);
  return (await answer.json()).messages;
}

/** A KPI by treatment: the campaign's own first. */
async function kpi(name) {
  const base = `/v1/apps/${app}/campaigns/${campaign.Id}`;
  const activities = (await server.call("GET", `${base}/activities`)).Item;
  activities.sort((a, b) => (a.TreatmentId === "0" ? -1 : b.TreatmentId === "0" ? 1 : 0));
  const answer = await server.call("GET", `${base}/kpis/daterange/${name}-grouped-by-campaign-activity`);
  return activities.map((activity) => {
    const row = answer.KpiResult.Rows.find((row) => row.GroupedBys[0].Value === activity.Id);
    return row ? Number(row.Values[0].Value) : 0;
  });
}

/** The report's table of treatments, as numbers by column. */
async function treatments() {
  const rows = page.locator("section", { has: page.locator("h2", { hasText: "Treatments" }) }).locator("tbody tr");
  return rows.evaluateAll((rows) =>
    rows.map((row) => {
      const number = (cell) => Number(cell.textContent.replaceAll(/[\u202f\s]/g, "").replace(/in.*/, ""));
      const total = (cell) => Number(cell.textContent.split("in")[1]?.replaceAll(/[\u202f\s]/g, "") ?? NaN);
      const cells = [...row.cells];
      return {
        name: cells[0].textContent,
        recipients: number(cells[1]),
        accepted: number(cells[2]),
        failed: number(cells[3]),
        skipped: number(cells[4]),
        opened: number(cells[5]),
        opens: total(cells[5]),
        clicks: total(cells[7]),
      };
    }),
  );
}

test("nobody sees the pages without a link", async () => {
  for (const address of ["/outbox", "/console", `/console/apps/${app}/campaigns/${campaign.Id}`]) {
    const answer = await page.goto(server.url + address);
    assert.equal(answer.status(), 401);
    assert.match(await page.textContent("main"), /pinion console link/);
  }
  // A refused page is told as an error by the browser, and rightly so.
  complaints.length = 0;
});

test("a link opens the outbox, once", async () => {
  const link = await server.link("/outbox");
  await page.goto(link);
  await page.waitForURL(`${server.url}/outbox`);
  const listed = await page.locator("table.messages tbody tr").count();
  assert.equal(listed, Math.min((await mails()).length, 50));
  assert.match(await page.textContent("table.messages"), /<Żółw & "\d+">/);
  await page.screenshot({ path: path.join(out, "outbox.png") });

  const stranger = await page.request.get(link, { headers: { cookie: "" } });
  assert.equal(stranger.status(), 401);
});

test("the outbox is searched by recipient", async () => {
  const [mail] = await mails();
  await page.goto(`${server.url}/outbox`);
  await page.fill('input[name="to"]', mail.to[0]);
  await page.press('input[name="to"]', "Enter");
  await page.waitForURL(/to=/);
  assert.equal(await page.locator("table.messages tbody tr").count(), 1);
});

test("a message is rendered without its scripts, and without counting as opened", async () => {
  await page.goto(`${server.url}/outbox`);
  await page.click("table.messages tbody tr:first-child a");
  const message = page.frameLocator("iframe");
  await message.locator("h1", { hasText: /Letter [ab]/ }).waitFor();
  assert.match(await message.locator("#title").textContent(), /^<Żółw & "\d+">$/);
  assert.doesNotMatch(await page.title(), /scripts run/);
  assert.match(await page.textContent(".facts"), /letters@books\.test/);
  await page.screenshot({ path: path.join(out, "message.png"), fullPage: true });
  assert.deepEqual(await kpi("direct-email-opens"), [0, 0]);

  await page.click("text=Load remote images");
  await waitFor(async () => (await kpi("direct-email-opens")).includes(1), "the pixel to be counted", 10);
  // The frame's sandbox tells that it blocked the script, and at first the pixel.
  for (const complaint of complaints.splice(0)) assert.match(complaint, /script|img-src data:/i);
});

test("the report shows what the API counts", async () => {
  const kept = await mails();
  for (const [number, mail] of kept.entries()) {
    const pixel = mail.images.find((image) => image.includes("/t/o/"));
    const link = mail.links.find((link) => link.includes("/t/c/"));
    if (mail.subject.startsWith("b") || number % 3 === 0) await fetch(pixel);
    if (number % 4 === 0) await fetch(link, { redirect: "manual" });
  }
  const clicked = kept.filter((_, number) => number % 4 === 0).length;
  await waitFor(async () => sum(await kpi("clicks")) === clicked, "the clicks to be counted", 10);

  await page.goto(`${server.url}/console`);
  await page.click("text=Autumn <letter>");
  await page.waitForSelector("#live h1");
  assert.equal(await page.textContent("#live h1"), "Autumn <letter>");
  const shown = await treatments();
  assert.deepEqual(shown.map(({ name }) => name), ["Warm", "Short", "Holdout"]);
  const told = shown.slice(0, 2);
  assert.deepEqual(told.map(({ accepted }) => accepted), await kpi("successful-deliveries"));
  assert.deepEqual(told.map(({ accepted, failed }) => accepted + failed), await kpi("attempted-deliveries"));
  assert.deepEqual(told.map(({ opens }) => opens), await kpi("direct-email-opens"));
  assert.deepEqual(told.map(({ clicks }) => clicks), await kpi("clicks"));
  const rates = await kpi("email-open-rate");
  told.forEach(({ opened, accepted }, n) => assert.ok(Math.abs(opened / accepted - rates[n]) < 1e-9));
  assert.equal(sum(shown.map(({ recipients }) => recipients)), PEOPLE);
  assert.equal(sum(told.map(({ accepted }) => accepted)), kept.length);
  assert.ok((await page.locator("svg.plot rect.column").count()) > 0, "the plot has columns");
  await page.screenshot({ path: path.join(out, "report.png"), fullPage: true });
});

test("an open report follows what happens", async () => {
  const before = sum((await treatments()).map(({ opens }) => opens || 0));
  const [mail] = await mails();
  await fetch(mail.images.find((image) => image.includes("/t/o/")));
  await waitFor(
    async () => sum((await treatments()).map(({ opens }) => opens || 0)) === before + 1,
    "the page to show the open",
    30,
  );
});

test("leaving closes the door", async () => {
  await page.click("text=Leave");
  await page.waitForSelector("text=No session");
  assert.deepEqual(
    complaints.filter((complaint) => !/401/.test(complaint)),
    [],
    "the browser found nothing to complain about",
  );
});

function sum(numbers) {
  return numbers.reduce((all, number) => all + number, 0);
}
