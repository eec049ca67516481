// The official TypeScript SDK's clients: the package client in both eras of the protocol,
// and the older package sdk. sdk.mjs BINARY SOURCE_URL INSTALLED. See sdk.py.
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [binary, source, installed] = process.argv.slice(2);
const require = createRequire(join(installed, 'tssdk', 'index.js'));
const newer = { ...require('@modelcontextprotocol/client'), ...require('@modelcontextprotocol/client/stdio') };
const older = { ...require('@modelcontextprotocol/sdk/client/index.js'), ...require('@modelcontextprotocol/sdk/client/stdio.js') };
const question = { question: 'How do goroutines work?', sources: ['hackernews'], depth: 'quick' };
const calls = 300;

const kinds = [
  { name: 'client, legacy', make: info => new newer.Client(info), transport: newer.StdioClientTransport, old: false },
  { name: 'client, 2026-07-28', make: info => new newer.Client(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } }), transport: newer.StdioClientTransport, old: false },
  { name: 'sdk 1', make: info => new older.Client(info), transport: older.StdioClientTransport, old: true },
];

const tell = async path => (await fetch(source + path)).text();
const count = async () => Number(await tell('/count'));
const left = async () => Number(await tell('/left?n=0'));
const report = (check, problem = '') => console.log(JSON.stringify({ check, problem }));

function textOf(result) {
  const text = result.content.map(part => part.text).join('\n');
  if (result.isError) throw new Error(text);
  return text;
}

async function connected(kind, use) {
  const data = mkdtempSync(join(tmpdir(), 'sdk-'));
  const args = ['serve', '--data-dir', data, '--set', 'ollama.enabled=false', '--set', `sources.hackernews.url=${source}`,
    '--set', 'sources.hackernews.timeout=100s'];
  const client = kind.make({ name: 'sdk', version: '1' });
  client.errors = [];
  client.onerror = error => client.errors.push(String(error));
  await client.connect(new kind.transport({ command: binary, args, stderr: 'inherit' }));
  client.call = (name, args, options) =>
    kind.old ? client.callTool({ name, arguments: args }, undefined, options) : client.callTool({ name, arguments: args }, options);
  try {
    await use(client);
  } finally {
    await client.close();
    rmSync(data, { recursive: true, force: true });
  }
}

async function listsAndCalls(client, kind) {
  const names = (await client.listTools()).tools.map(tool => tool.name);
  const missing = ['research', 'fetch-sources', 'recall', 'remember', 'forget'].filter(name => !names.includes(name));
  report(`list, ${kind.name}`, missing.length ? `missing: ${missing}` : '');
  const text = textOf(await client.call('remember', { text: 'The heron nests on the island.', title: 'Herons' }));
  report(`call, ${kind.name}`, /\bd_[a-z2-7]{26}\b/.test(text) ? '' : text);
}

// Of each call's reports none is missing, and none comes after the result: the client
// reports one for a call that has ended as an error.
async function progressIsExact(client, kind) {
  const problems = [];
  let reports = 0, next = 0;
  async function one(n) {
    const seen = [];
    let ended = false;
    const onprogress = ({ progress }) => {
      if (ended) problems.push(`call ${n}: ${progress} is late`);
      seen.push(progress);
    };
    textOf(await client.call('fetch-sources', { query: 'goroutine', sources: ['hackernews'], limit: 1 }, { onprogress }));
    ended = true;
    if (!seen.length || seen.some((progress, i) => progress !== i + 1)) problems.push(`call ${n}: ${seen}`);
    reports += seen.length;
  }
  const worker = async () => { while (next < calls) await one(next++); };
  await Promise.all(Array.from({ length: 8 }, worker));
  problems.push(...client.errors);
  report(`${calls} calls with ${reports} reports of progress, ${kind.name}`, problems.slice(0, 5).join('; '));
}

async function cancelReachesTheSource(client, kind) {
  const begun = await count(), gone = await left();
  await tell('/hold');
  const person = new AbortController();
  const call = client.call('research', { ...question, question: 'How are goroutines multiplexed?' }, { signal: person.signal });
  const ended = call.then(() => 'it was answered', () => '');
  await tell(`/begun?n=${begun + 1}`);
  person.abort();
  const problem = await ended;
  await tell(`/left?n=${gone + 1}`);
  await tell('/release');
  report(`a person's cancel closes the source's connection, ${kind.name}`, problem);
}

async function timeOutLeavesTheRun(client, kind) {
  const before = await count(), gone = await left();
  await tell('/hold');
  const problem = await client.call('research', question, { timeout: 5000 }).then(() => 'the call did not time out',
    error => (/timed out/i.test(error) ? '' : String(error)));
  await tell('/release');
  const pickedUp = textOf(await client.call('research', question));
  const run = /\br_[a-z2-7]{16}\b/.exec(pickedUp)[0];
  const again = textOf(await client.call('research', { run_id: run }));
  const asked = (await count()) - before, cut = (await left()) - gone;
  const right = asked === 1 && cut === 0 && again.includes(run) && pickedUp.includes('Status: ');
  report(`a run cut at 5 s is picked up, ${kind.name}`, problem || (right ? '' : `${asked} requests to the source, ${cut} of them cut off: ${pickedUp} ${again}`));
}

for (const kind of kinds) {
  await tell('/release');
  await connected(kind, async client => {
    await listsAndCalls(client, kind);
    await progressIsExact(client, kind);
    await cancelReachesTheSource(client, kind);
  });
  await connected(kind, client => timeOutLeavesTheRun(client, kind));
}
