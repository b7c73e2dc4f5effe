// Takes the pictures of the book: book-pictures.mjs OUTOFPORTS EXAMPLES OUT. Each is a part of the HTML report of leak.etl, reduced by
// pngquant. .ci/book --pictures calls it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// The browser tests bring puppeteer-core.
const puppeteer = createRequire(resolve('tests/browser/package.json'))('puppeteer-core');

const [program, examples, out] = process.argv.slice(2).map((path) => resolve(path));
const work = mkdtempSync(join(tmpdir(), 'pictures-'));
const report = join(work, 'leak.html');
execFileSync(program, ['analyze', 'leak.etl', '--quiet', '-o', report], { cwd: examples });
mkdirSync(out, { recursive: true });

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  userDataDir: join(work, 'profile'),
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1000, height: 900 });
  await page.goto(pathToFileURL(report).href);
  const boxOf = async (selector) => {
    const box = await (await page.$(selector))?.boundingBox();
    if (!box) throw new Error(`the report has no ${selector}`);
    return box;
  };
  for (const name of ['answer', 'over-time', 'holds', 'suffered', 'next', 'sure']) {
    const file = join(out, `${name}.png`);
    let { y: top, height } = await boxOf(name === 'answer' ? '#over-time' : `#${name}`);
    // The answer is all that stands above the first picture.
    if (name === 'answer') [top, height] = [0, top];
    await page.screenshot({ path: file, clip: { x: 0, y: top, width: 1000, height }, captureBeyondViewport: true });
    execFileSync('pngquant', ['--force', '--strip', '--ext', '.png', '24', file]);
    console.log(`${name}.png`);
  }
} finally {
  await browser.close();
  rmSync(work, { recursive: true, force: true });
}
