// Starts browsers behind a proxy that lets nothing through and notes what asked for it, and opens the page in them.

import { spawnSync } from "node:child_process";
import { createReadStream, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import puppeteer from "puppeteer-core";

const root = resolve(import.meta.dirname, "../../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const PAGE = resolve(process.env.PAGE ?? join(root, "target/page/outofports.html"));
export const PROGRAM = resolve(process.env.PROGRAM ?? join(target, "debug/outofports"));
export const SYNTH = resolve(process.env.SYNTH ?? join(target, "debug/synth"));
export const WORK = resolve(process.env.WORK ?? join(root, "target/page/work"));
export const FIXTURES = join(root, "fixtures");
export const CORPUS = resolve(root, "../shared/corpus");

const listening = (server) =>
  new Promise((done) => {
    server.listen(0, "127.0.0.1", () => done(server.address().port));
  });

/** A proxy that answers nobody; `asked` has the first line of each request. */
const startProxy = async () => {
  const asked = [];
  const server = createSocketServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      asked.push(data.toString("latin1").split("\r\n")[0]);
      socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    });
  });
  server.unref();
  return { port: await listening(server), asked, close: () => server.close() };
};

/** A server of the page alone; `asked` has the paths that were asked for. */
export const serve = async () => {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    if (request.url !== "/outofports.html") {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/html" });
    createReadStream(PAGE).pipe(response);
  });
  server.unref();
  return { address: `http://127.0.0.1:${await listening(server)}/outofports.html`, asked, close: () => server.close() };
};

/** The page on disk. */
export const onDisk = pathToFileURL(PAGE).href;

const PREFERENCES = {
  // What the browser itself would ask its makers for.
  "app.update.auto": false,
  "app.normandy.enabled": false,
  "browser.safebrowsing.downloads.remote.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.search.update": false,
  "browser.topsites.contile.enabled": false,
  "datareporting.healthreport.uploadEnabled": false,
  "dom.push.connection.enabled": false,
  "extensions.getAddons.cache.enabled": false,
  "extensions.systemAddon.update.enabled": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.enabled": false,
  "network.proxy.type": 1,
  "network.proxy.no_proxies_on": "127.0.0.1",
};

/** A browser, "chromium" or "firefox", and what it asked its proxy for. */
export const launch = async (name) => {
  const proxy = await startProxy();
  const profile = mkdtempSync(join(tmpdir(), "page-profile-"));
  const options =
    name === "firefox"
      ? {
          browser: "firefox",
          executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
          // Without it, Firefox asks its makers for settings whatever the preferences say.
          env: { ...process.env, MOZ_REMOTE_SETTINGS_DEVTOOLS: "1" },
          extraPrefsFirefox: {
            ...PREFERENCES,
            "network.proxy.http": "127.0.0.1",
            "network.proxy.http_port": proxy.port,
            "network.proxy.ssl": "127.0.0.1",
            "network.proxy.ssl_port": proxy.port,
          },
        }
      : {
          executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
          userDataDir: profile,
          // The sandbox needs rights that root in a container lacks.
          args: [
            ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // What the browser itself would ask its makers for.
            "--disable-features=NetworkTimeServiceQuerying,AutofillServerCommunication",
            "--gaia-url=http://127.0.0.1:9",
            "--component-updater=url-source=http://127.0.0.1:9",
            "--google-apis-url=http://127.0.0.1:9",
            "--disable-domain-reliability",
            "--no-pings",
            `--proxy-server=127.0.0.1:${proxy.port}`,
          ],
        };
  const browser = await puppeteer.launch({ protocolTimeout: 1_200_000, ...options });
  const close = async () => {
    await browser.close();
    proxy.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { name, browser, asked: proxy.asked, close };
};

// Keeps what the page saves, instead of saving it.
const keepSaved = () => {
  window.saved = [];
  const make = URL.createObjectURL;
  URL.createObjectURL = (blob) => {
    const address = make.call(URL, blob);
    window.blobs = { ...window.blobs, [address]: blob };
    return address;
  };
  HTMLAnchorElement.prototype.click = function click() {
    window.saved.push({ name: this.download, blob: window.blobs[this.href] });
  };
};

/** Opens the page; `troubles` collects errors, what the console says, and requests other than for the page itself. */
export const open = async ({ browser, name }, address, { width = 1280, scheme = "light", saves = false } = {}) => {
  const page = await browser.newPage();
  const troubles = [];
  page.on("console", (message) => troubles.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("request", (request) => {
    // What lies in memory is no request; Firefox has a font of its own there.
    if (request.url() !== address && !/^(?:blob|data):/u.test(request.url())) {
      troubles.push(`request: ${request.url()}`);
    }
  });
  if (!saves) {
    await page.evaluateOnNewDocument(keepSaved);
  }
  if (name === "chromium") {
    await page.emulateMediaFeatures([
      { name: "prefers-color-scheme", value: scheme },
      { name: "prefers-reduced-motion", value: "reduce" },
    ]);
  }
  await page.setViewport({ width, height: 900 });
  await page.goto(address);
  return { page, troubles };
};

/** Drops files and folders by their paths, as from a window of files. Only Chromium lets tests do that. */
export const drop = async (page, paths) => {
  const session = await page.createCDPSession();
  const data = { items: [], files: paths.map((path) => resolve(path)), dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  }
  await session.detach();
};

/** Chooses files by their paths, in the dialog of the page. */
export const choose = async (page, paths) => {
  const input = await page.$("#page-input");
  await input.uploadFile(...paths.map((path) => resolve(path)));
};

/** The same files, dropped by a script: what was chosen lies in a drop that the page takes for one of a user. */
export const dropChosen = async (page, paths) => {
  await page.evaluate(() => {
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = true;
    input.id = "test-input";
    document.body.append(input);
  });
  const input = await page.$("#test-input");
  await input.uploadFile(...paths.map((path) => resolve(path)));
  await page.evaluate(() => {
    const chosen = document.getElementById("test-input");
    const transfer = new DataTransfer();
    for (const file of chosen.files) {
      transfer.items.add(file);
    }
    chosen.remove();
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  });
};

/** Waits until there is a report or a reason why there is none; gives which. */
export const settled = async (page, timeout = 120_000) => {
  const handle = await page.waitForFunction(
    () => {
      const isShown = (id) => !document.getElementById(id).hidden;
      if (isShown("page-working") || isShown("page-redraw")) {
        return null;
      }
      return isShown("page-error") ? "error" : isShown("page-bar") && document.querySelector("#page-content h1") ? "report" : null;
    },
    { timeout, polling: 50 },
  );
  return handle.jsonValue();
};

/** Why there is no report: title and reasons. */
export const trouble = (page) =>
  page.evaluate(() => ({
    title: document.getElementById("page-error-title").textContent,
    reasons: [...document.querySelectorAll("#page-reasons li")].map((item) => item.textContent),
    advice: document.getElementById("page-advice").textContent,
  }));

/** What was saved last, as text, once something new is. */
const lastSaved = async (page, before) => {
  await page.waitForFunction((count) => window.saved.length > count, { timeout: 120_000 }, before);
  return page.evaluate(async () => {
    const { name, blob } = window.saved.at(-1);
    // As text the first mark would be lost.
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return { name, text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) };
  });
};

const savedSoFar = (page) => page.evaluate(() => window.saved.length);

/** Saves the report in a format; gives its text and the name of its file. */
export const saved = async (page, format) => {
  const before = await savedSoFar(page);
  await page.select("#page-download select", format);
  await page.$eval("#page-download button", (button) => button.click());
  return lastSaved(page, before);
};

/** Presses something that saves. */
export const savedBy = async (page, selector) => {
  const before = await savedSoFar(page);
  await page.$eval(selector, (button) => button.click());
  return lastSaved(page, before);
};

/** Sets a field, as a user who leaves it does. */
export const set = (page, selector, value) =>
  page.$eval(
    selector,
    (field, to) => {
      field.value = to;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    },
    value,
  );

/** The program, run in the folder of its inputs, so that it and the page know them by the same names. */
export const program = (args, inputs = []) => {
  const run = spawnSync(PROGRAM, [...args, ...inputs.map((path) => basename(path))], {
    cwd: inputs.length > 0 ? dirname(resolve(inputs[0])) : root,
    maxBuffer: 1 << 30,
  });
  if (run.error) {
    throw run.error;
  }
  const messages = run.stderr.toString().replace(/^outofports: /gmu, "").trimEnd();
  return { code: run.status, text: run.stdout.toString(), messages };
};

/** All files below a folder with one of these endings. */
export const filesBelow = (folder, endings) =>
  readdirSync(folder, { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        return filesBelow(path, endings);
      }
      return endings.some((ending) => entry.name.endsWith(ending)) && statSync(path).size < 1 << 28 ? [path] : [];
    });

/** What axe-core finds wrong, a line each. It is put in beside the page's policy, which forbids any other script. */
export const violations = async (page) => {
  const session = await page.createCDPSession();
  await session.send("Runtime.evaluate", { expression: AXE });
  const found = await page.evaluate(async () => {
    const { passes, violations: list } = await window.axe.run(document);
    if (passes.length < 10) {
      return [`only ${passes.length} rules were tried`];
    }
    return list.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
  });
  await session.detach();
  return found;
};
