// A client of the official TypeScript SDK: sdk.mjs BINARY SOURCE_URL INSTALLED KIND
// KIND is one of the keys of kinds below. See sdk.py.
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [binary, source, installed, kindName] = process.argv.slice(2);
const require = createRequire(join(installed, 'tssdk', 'index.js'));
const newer = { ...require('@modelcontextprotocol/client'), ...require('@modelcontextprotocol/client/stdio') };
const older = { ...require('@modelcontextprotocol/sdk/client/index.js'), ...require('@modelcontextprotocol/sdk/client/stdio.js') };
const question = { question: 'How do goroutines work?', sources: ['hackernews'], depth: 'quick' };
const calls = 300;
const leastReports = 2; // of a call: the search begins, and the source has answered

// The package client in both eras of the protocol, and the package sdk, which came before.
const kinds = {
  legacy: { make: info => new newer.Client(info), Transport: newer.StdioClientTransport },
  modern: { make: info => new newer.Client(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } }), Transport: newer.StdioClientTransport },
  sdk1: { make: info => new older.Client(info), Transport: older.StdioClientTransport, schemaFirst: true },
};
const kind = kinds[kindName];

const tell = async path => (await fetch(source + path)).text();
const count = async () => Number(await tell('/count'));
const left = async () => Number(await tell('/left?n=0'));
const report = (check, problem = '') => console.log(JSON.stringify({ check, problem }));

function textOf(result) {
  const text = result.content.map(part => part.text).join('\n');
  if (result.isError) throw new Error(text);
  return text;
}

async function connected(use) {
  const data = mkdtempSync(join(tmpdir(), 'sdk-'));
  const args = ['serve', '--data-dir', data, '--set', 'ollama.enabled=false', '--set', `sources.hackernews.url=${source}`,
    '--set', 'sources.hackernews.timeout=100s'];
  const client = kind.make({ name: 'sdk', version: '1' });
  client.errors = [];
  client.onerror = error => client.errors.push(String(error));
  await client.connect(new kind.Transport({ command: binary, args, stderr: 'inherit' }));
  client.call = (name, args, options) =>
    kind.schemaFirst ? client.callTool({ name, arguments: args }, undefined, options) : client.callTool({ name, arguments: args }, options);
  try {
    await use(client);
  } finally {
    await client.close();
    rmSync(data, { recursive: true, force: true });
  }
}

async function listsAndCalls(client) {
  const names = (await client.listTools()).tools.map(tool => tool.name);
  const missing = ['research', 'fetch-sources', 'recall', 'remember', 'forget'].filter(name => !names.includes(name));
  report('list', missing.length ? `missing: ${missing}` : '');
  const text = textOf(await client.call('remember', { text: 'The heron nests on the island.', title: 'Herons' }));
  report('call', /\bd_[a-z2-7]{26}\b/.test(text) ? '' : text);
}

// tapped keeps the numbers of the reports of each call as they arrive, before the SDK sees
// them: it handles a result before the notifications that it read together with it, and
// drops those, with an error. Tokens are the ids of the requests.
function tapped(client) {
  const transport = client.transport, pass = transport.onmessage;
  const wire = { reports: new Map(), answered: new Set(), late: [] };
  transport.onmessage = (message, extra) => {
    if (message.method === 'notifications/progress') {
      const { progressToken: token, progress } = message.params;
      if (wire.answered.has(token)) wire.late.push(`${token}: ${progress}`);
      wire.reports.set(token, [...(wire.reports.get(token) ?? []), progress]);
    } else if (message.result) {
      wire.answered.add(message.id);
    }
    pass.call(transport, message, extra);
  };
  return { wire, untap: () => { transport.onmessage = pass; } };
}

// Of each call's reports none is missing, and none comes after the result.
async function progressIsExact(client) {
  const { wire, untap } = tapped(client);
  let shown = 0, next = 0;
  const one = async () => textOf(await client.call('fetch-sources',
    { query: 'goroutine', sources: ['hackernews'], limit: 1 }, { onprogress: () => shown++ }));
  const worker = async () => { while (next++ < calls) await one(); };
  await Promise.all(Array.from({ length: 8 }, worker));
  untap();
  const problems = wire.late.map(late => `late: ${late}`);
  let sent = 0;
  for (const [token, seen] of wire.reports) {
    sent += seen.length;
    if (seen.length < leastReports || seen.some((progress, i) => progress !== i + 1)) problems.push(`call ${token}: ${seen}`);
  }
  const dropped = client.errors.filter(error => error.includes('unknown token')).length;
  if (wire.reports.size !== calls) problems.push(`${wire.reports.size} of ${calls} calls had reports`);
  if (shown + dropped !== sent || dropped !== client.errors.length) problems.push(`${shown} shown of ${sent}: ${client.errors.slice(0, 3)}`);
  report(`${calls} calls with ${sent} reports of progress (the SDK dropped ${dropped})`, problems.slice(0, 5).join('; '));
}

async function cancelReachesTheSource(client) {
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
  report("a person's cancel closes the source's connection", problem);
}

async function timeOutLeavesTheRun(client) {
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
  report('a run cut at 5 s is picked up', problem || (right ? '' : `${asked} requests to the source, ${cut} of them cut off: ${pickedUp} ${again}`));
}

await tell('/release');
await connected(async client => {
  await listsAndCalls(client);
  await progressIsExact(client);
  await cancelReachesTheSource(client);
});
await connected(timeOutLeavesTheRun);
