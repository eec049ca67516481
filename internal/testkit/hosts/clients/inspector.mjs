// The command line of MCP Inspector: inspector.mjs BINARY INSTALLED [SERVER_URL]. Each run is
// a process, with a server of its own or with the one at SERVER_URL and the token in
// RESEARCH_MCP_TOKEN. It prints a line of JSON for each.
import { execFile } from 'node:child_process';
import { join } from 'node:path';

const [binary, installed, at] = process.argv.slice(2);
const program = join(installed, 'inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');

const server = at
  ? [at, '--transport', 'http', '--header', `Authorization: Bearer ${process.env.RESEARCH_MCP_TOKEN}`]
  : [binary, 'serve', '--demo'];

function inspect(...args) {
  return new Promise(done => {
    const all = [program, '--cli', ...server, ...args];
    execFile(process.execPath, all, { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      done({ code: error ? error.code ?? error.signal : 0, stdout, stderr }));
  });
}

const say = line => console.log(JSON.stringify(line));
const eras = ['legacy', 'modern'];
const runs = await Promise.all([
  ...eras.map(era => inspect('--protocol-era', era, '--method', 'tools/list', '--strict')),
  ...eras.map(era => inspect('--protocol-era', era, '--method', 'tools/call', '--tool-name', 'research',
    '--tool-arg', 'question=How do goroutines work?', '--format', 'json', '-q')),
]);
eras.forEach((era, i) => {
  const strict = runs[i], call = runs[eras.length + i];
  say({ check: `--strict, ${era}`, problem: strict.code ? `exit code ${strict.code}: ${strict.stdout} ${strict.stderr}`.slice(0, 2000) : '' });
  let given = '', problem = '';
  try {
    given = JSON.parse(call.stdout);
  } catch (error) {
    problem = `exit code ${call.code}, and no JSON: ${call.stdout} ${call.stderr}`.slice(0, 2000);
  }
  say({ check: `tools/call, ${era}`, problem });
  if (given) say({ tool: 'research', given: JSON.stringify(given.result ?? given) });
});
