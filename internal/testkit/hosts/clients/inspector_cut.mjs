// The command line of MCP Inspector, which is killed 5 s after a call's search began, and
// makes the call again: inspector_cut.mjs BINARY INSTALLED SOURCE_URL URL URL. The URLs are
// servers over HTTP (see web.go): one for each era. It prints a line of JSON for each check.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [, installed, source, ...urls] = process.argv.slice(2);
const program = join(installed, 'inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
const tell = async path => (await fetch(source + path)).text();
const count = async () => Number(await tell('/count'));
const left = async () => Number(await tell('/left?n=0'));
const say = line => console.log(JSON.stringify(line));

// asking is the process that makes the call. Detached, it leads a group: what it starts ends with it.
function asking(era, url) {
  const args = [program, '--cli', url, '--transport', 'http', '--protocol-era', era, '--method', 'tools/call', '--tool-name', 'research', '--format', 'json', '-q',
    '--tool-args-json', JSON.stringify({ question: 'How do goroutines work?', sources: ['hackernews'], depth: 'quick' })];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  let said = '';
  child.stdout.on('data', part => { said += part; });
  child.said = new Promise(done => child.on('close', () => done(said)));
  return child;
}

async function cut(era, url) {
  const before = await count(), gone = await left();
  await tell('/hold');
  const first = asking(era, url);
  await tell(`/begun?n=${before + 1}`);
  await sleep(5000);
  process.kill(-first.pid, 'SIGKILL');
  await first.said;
  if (era === 'modern') await tell(`/left?n=${gone + 1}`); // the specification: the end of a connection is the client's cancellation
  await tell('/release');
  const again = await asking(era, url).said;
  const asked = (await count()) - before, closed = (await left()) - gone;
  const want = era === 'modern' ? [2, 1] : [1, 0];
  const right = asked === want[0] && closed === want[1] && again.includes('Status: answered');
  say({
    check: era === 'modern' ? 'modern: its end closes the source\'s connection, and the call is answered when it is made again' : 'legacy: a run cut at 5 s is picked up',
    problem: right ? '' : `${asked} requests to the source, ${closed} of them cut off: ${again.slice(0, 2000)}`,
  });
  const sent = await (await fetch(url.replace(/mcp$/, 'sent'))).json();
  say({ check: `${era}: it asks for no progress`, problem: sent.calls ? 'it does: its reports are to be compared with those that were sent' : '' });
  if (right) say({ tool: 'research', given: JSON.stringify(JSON.parse(again).result ?? JSON.parse(again)) });
}

await tell('/release');
await cut('legacy', urls[0]);
await cut('modern', urls[1]);
