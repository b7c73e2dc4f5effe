// Compares reports of the library in WebAssembly with those of the program, byte for byte:
//   node compare.mjs MODULE.wasm PROGRAM SCRATCH FOLDER...
// Every file below the folders is a case, and so is a packed copy of some, and all side files beside a trace.
// The program is run in the folder of its inputs, so that both know them by the same names.

import { spawnSync } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const [modulePath, programPath, scratch, ...folders] = process.argv.slice(2);
const program = resolve(programPath);
const module = new WebAssembly.Module(readFileSync(modulePath));
const kinds = new Set(['.etl', '.cab', '.zip', '.gz', '.zst', '.evtx', '.txt', '.csv']);

// zip brings getrandom 0.4, and that wasm-bindgen, for packing with a password. Nothing here packs, so nothing calls them; linked they
// are all the same.
const unused = {};
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  if (from === 'page') continue;
  if (!from.startsWith('__wbindgen_')) throw new Error(`another import: ${from}.${name}`);
  (unused[from] ??= {})[name] = () => { throw new Error(`${name} was called`); };
}

// A case in WebAssembly: { code, output }.
function inModule(files) {
  let message = '';
  const memory = (at, bytes) => new Uint8Array(instance.exports.memory.buffer, at, bytes);
  const page = {
    // 65,536 bytes at most are drawn at once.
    random: (at, bytes) => {
      for (let done = 0; done < bytes; done += 65536) {
        webcrypto.getRandomValues(memory(at + done, Math.min(65536, bytes - done)));
      }
    },
    panicked: (at, bytes, placeAt, placeBytes) => {
      message = `${Buffer.from(memory(at, bytes))} at ${Buffer.from(memory(placeAt, placeBytes))}`;
    },
    progress: () => {},
    part: () => {},
  };
  const instance = new WebAssembly.Instance(module, { ...unused, page });
  const { room, file_room, add, ask, output, output_bytes } = instance.exports;
  const write = (into, bytes) => memory(into(bytes.length), bytes.length).set(bytes);
  try {
    for (const file of files) {
      write(room, Buffer.from(basename(file)));
      write(file_room, readFileSync(file));
      add(0);
    }
    write(room, Buffer.from('{"ask":"report","format":"json"}'));
    const code = ask();
    return { code, output: Buffer.from(memory(output(), output_bytes())) };
  } catch (error) {
    return { code: 'panic', output: Buffer.from(message || String(error)) };
  }
}

// The same in the program. Without a report its messages count, each of which begins with its name.
function inProgram(files) {
  const run = spawnSync(program, ['analyze', '--quiet', '-f', 'json', ...files.map((file) => basename(file))], {
    cwd: dirname(files[0]),
    maxBuffer: 1 << 30,
  });
  if (run.error) throw run.error;
  const messages = run.stderr.toString().replace(/^outofports: /gm, '').trimEnd();
  return { code: run.status, output: run.status === 2 ? Buffer.from(messages) : run.stdout };
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path);
      return kinds.has(extname(entry.name)) && statSync(path).size < 1 << 30 ? [path] : [];
    });
}

const single = folders.filter((folder) => existsSync(folder)).flatMap(filesBelow);
if (single.length === 0) throw new Error('no fixtures');
const cases = single.map((file) => [file]);

// Packed, damaged, none of the kinds that are known, and one case of a trace and all side files.
mkdirSync(scratch, { recursive: true });
const made = (name, bytes) => {
  writeFileSync(join(scratch, name), bytes);
  return join(scratch, name);
};
const traces = single.filter((file) => extname(file) === '.etl' && statSync(file).size < 1 << 22);
for (const trace of traces) {
  const bytes = readFileSync(trace);
  cases.push([made(`${basename(trace)}.gz`, gzipSync(bytes))]);
  cases.push([made(`cut-${basename(trace)}`, bytes.subarray(0, Math.floor(bytes.length * 0.6)))]);
}
cases.push([made('nothing.txt', 'nothing that is known\n')]);
cases.push([made('empty.etl', '')]);
const beside = single.filter((file) => extname(file) !== '.etl').concat(traces.slice(0, 1));
const folder = join(scratch, 'beside');
mkdirSync(folder, { recursive: true });
for (const file of beside) copyFileSync(file, join(folder, basename(file)));
cases.push([...new Set(beside.map((file) => join(folder, basename(file))))]);
const archive = join(scratch, 'case.zip');
const packed = spawnSync('python3', ['-m', 'zipfile', '-c', archive, ...beside]);
if (packed.status !== 0) throw new Error(`no archive: ${packed.stderr}`);
cases.push([archive]);

let equal = 0;
const byCode = new Map();
for (const files of cases) {
  const [here, there] = [inModule(files), inProgram(files)];
  if (here.code === there.code && here.output.equals(there.output)) {
    equal += 1;
    byCode.set(here.code, (byCode.get(here.code) ?? 0) + 1);
    continue;
  }
  console.log(`${files.length === 1 ? files[0] : `${files[0]} and ${files.length - 1} more`}:`);
  const [mine, theirs] = [here, there].map(({ output }) => output.toString().split('\n'));
  const line = mine.findIndex((text, at) => text !== theirs[at]);
  console.log(`  WebAssembly: code ${here.code}, line ${line + 1}: ${(mine[line] ?? '').slice(0, 300)}`);
  console.log(`  the program: code ${there.code}, line ${line + 1}: ${(theirs[line] ?? '').slice(0, 300)}`);
}
const codes = [...byCode].sort().map(([code, count]) => `${count} with exit code ${code}`).join(', ');
console.log(`${equal} of ${cases.length} reports are equal (${codes})`);
process.exitCode = equal === cases.length ? 0 : 1;
