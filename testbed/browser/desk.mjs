// A Chromium with the telephone of page.html. Orders come by standard input, `{"id": 1, "order": "answer", "with": null}` a
// line, and what came of each goes out the same way. What the browser asks for anywhere but on this host is refused and told.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { buildSync } from "esbuild";
import { chromium } from "playwright-core";

const [voice] = process.argv.slice(2);
const here = new URL(".", import.meta.url).pathname;
const bundle = buildSync({
  entryPoints: ["jssip"], absWorkingDir: here, bundle: true, write: false, format: "iife", globalName: "JsSIP",
});
const files = {
  "/": ["text/html", readFileSync(`${here}page.html`)],
  "/jssip.js": ["text/javascript", bundle.outputFiles[0].contents],
};
const server = createServer(({ url }, response) => {
  const [type, text] = files[url] ?? ["text/plain", ""];
  response.writeHead(url in files ? 200 : 404, { "content-type": type }).end(text);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
    "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${voice}`,
  ],
});
const page = await browser.newPage({ ignoreHTTPSErrors: true });
const strangers = [];
await page.route("**", (route) => {
  const { hostname } = new URL(route.request().url());
  if (hostname.startsWith("127.")) return route.continue();
  strangers.push(hostname);
  return route.abort();
});
page.on("console", (message) => process.stderr.write(`page: ${message.text()}\n`));
page.on("pageerror", (error) => process.stderr.write(`page: ${error}\n`));
await page.goto(`http://127.0.0.1:${server.address().port}/`);

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
tell({ ready: browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, order, with: given } = JSON.parse(line);
  const done = page.evaluate(([order, given]) => orders[order](given), [order, given]);
  await done.then((came) => tell({ id, came, strangers }), (error) => tell({ id, failed: String(error) }));
}
await browser.close();
server.close();
