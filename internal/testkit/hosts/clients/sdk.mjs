// A client of the official TypeScript SDK: sdk.mjs BINARY SOURCE_URL INSTALLED KIND [URL URL]
// KIND is one of the keys of kinds below. See sdk.py.
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [binary, source, installed, kindName, ...urls] = process.argv.slice(2);
const require = createRequire(join(installed, 'tssdk', 'index.js'));
const newer = { ...require('@modelcontextprotocol/client'), ...require('@modelcontextprotocol/client/stdio') };
const older = { ...require('@modelcontextprotocol/sdk/client/index.js'), ...require('@modelcontextprotocol/sdk/client/stdio.js'),
  ...require('@modelcontextprotocol/sdk/client/streamableHttp.js') };
const question = { question: 'How do goroutines work?', sources: ['hackernews'], depth: 'quick' };
const calls = 300;
const reportsOfACall = 2; // the search begins, and the source has answered
const beat = 'still running after '; // begins the reports between them that a busy machine has

// The package client in both eras of the protocol, and the package sdk, which came before.
const kinds = {
  legacy: { make: info => new newer.Client(info), from: newer },
  modern: { make: info => new newer.Client(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } }), from: newer },
  sdk1: { make: info => new older.Client(info), from: older, schemaFirst: true },
};
const kind = kinds[kindName];
const closingCancels = urls.length > 0 && kindName === 'modern'; // the specification: the end of a connection is the client's cancellation

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
  const url = urls.shift();
  const client = kind.make({ name: 'sdk', version: '1' });
  client.errors = [];
  client.onerror = error => client.errors.push(String(error));
  await client.connect(url ? new kind.from.StreamableHTTPClientTransport(new URL(url))
    : new kind.from.StdioClientTransport({ command: binary, args, stderr: 'inherit' }));
  client.sent = url && (async () => (await fetch(url.replace(/mcp$/, 'sent'))).json());
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
  const reports = new Map(), beats = new Map(), answered = new Set(), problems = [];
  transport.onmessage = (message, extra) => {
    if (message.method === 'notifications/progress') {
      const { progressToken: token, progress, message: text = '' } = message.params;
      if (answered.has(token)) problems.push(`late: ${token}: ${progress}`);
      reports.set(token, [...(reports.get(token) ?? []), progress]);
      if (text.startsWith(beat)) beats.set(token, (beats.get(token) ?? 0) + 1);
    } else if (message.result) {
      answered.add(message.id);
    }
    pass.call(transport, message, extra);
  };
  return async () => {
    transport.onmessage = pass;
    let sum = 0;
    for (const [token, seen] of reports) {
      sum += seen.length;
      if (seen.length - (beats.get(token) ?? 0) !== reportsOfACall || seen.some((progress, i) => progress !== i + 1)) problems.push(`call ${token}: ${seen}`);
    }
    return { calls: reports.size, reports: sum, problems };
  };
}

// Of each call's reports none is missing, and none comes after the result. Of those that the
// server sent this is exact. The TypeScript SDKs themselves drop some of those that they show
// (see tapped): shown and dropped together are as many as were sent.
async function progressIsExact(client) {
  const sent = client.sent ?? tapped(client);
  let shown = 0, next = 0;
  const one = async () => textOf(await client.call('fetch-sources',
    { query: 'goroutine', sources: ['hackernews'], limit: 1 }, { onprogress: () => shown++ }));
  const worker = async () => { while (next++ < calls) await one(); };
  await Promise.all(Array.from({ length: 8 }, worker));
  const server = await sent(), problems = server.problems;
  const dropped = client.errors.filter(error => error.includes('unknown token')).length;
  if (server.calls !== calls) problems.push(`${server.calls} of ${calls} calls had reports`);
  if (shown + dropped !== server.reports || dropped !== client.errors.length) problems.push(`${shown} shown of ${server.reports}: ${client.errors.slice(0, 3)}`);
  report(`${calls} calls with ${server.reports} reports of progress (the SDK dropped ${dropped})`, problems.slice(0, 5).join('; '));
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
  if (closingCancels && !problem) await tell(`/left?n=${gone + 1}`);
  await tell('/release');
  const pickedUp = textOf(await client.call('research', question));
  const run = /\br_[a-z2-7]{16}\b/.exec(pickedUp)[0];
  const again = textOf(await client.call('research', { run_id: run }));
  const asked = (await count()) - before, cut = (await left()) - gone;
  const right = asked === (closingCancels ? 2 : 1) && cut === (closingCancels ? 1 : 0) && again.includes(run) && pickedUp.includes('Status: ');
  report(closingCancels ? 'a call cut at 5 s is cancelled, and answered when it is made again' : 'a run cut at 5 s is picked up', problem || (right ? '' : `${asked} requests to the source, ${cut} of them cut off: ${pickedUp} ${again}`));
  console.log(JSON.stringify({ tool: 'research', given: pickedUp }));
}

await tell('/release');
await connected(async client => {
  await listsAndCalls(client);
  await progressIsExact(client);
  await cancelReachesTheSource(client);
});
await connected(timeOutLeavesTheRun);
