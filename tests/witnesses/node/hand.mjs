// The hand of a suite in the sandbox: changes, faults and time by its control addresses, and what is truly there.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { parse } from 'csv-parse/sync';

export const ADDRESS = process.env.SANDBOX_URL;

// A value that a careless quoting on any side would change: CSV, SOQL, JSON and addresses all have it in their grammar.
export const AWKWARD =
  'O\'Neil & "Söhne" \\ GmbH, 5 % off; second line:\r\nthird\tcell\n<b>&amp;</b> 🦄 𝕏 عربى';

// The status, headers and text of an answer. Each call has a connection of its own: fetch would reuse one that the server,
// after five quiet seconds, is about to close.
export function call(url, { method = 'GET', headers = {}, body = '' } = {}) {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, headers, agent: false }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece)).on('error', reject).on('end', () => {
        resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(pieces).toString('utf8') });
      });
    });
    asking.on('error', reject).end(body);
  });
}

// The answer to a form that a person filled in.
export const submit = (url, fields) => call(url, {
  method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: String(new URLSearchParams(fields)),
});

// Steers one organisation or portal; `place` is `orgs/NAME` or `portals/NAME`.
export class Hand {
  constructor(place) {
    this.address = `${ADDRESS}/_sandbox/${place}`;
  }

  // What a control address shows.
  async shown(name) {
    return JSON.parse((await call(`${this.address}${name}`)).text);
  }

  // Give a command; a refusal fails the test.
  async command(name, body = {}) {
    const headers = { 'content-type': 'application/json' };
    const { status, text } = await call(`${this.address}/${name}`, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.equal(status, 200, `${name}: ${text}`);
    return JSON.parse(text);
  }

  // Make a set of rules the usual ones again, or count from nothing.
  async undo(name) {
    assert.equal((await call(`${this.address}/${name}`, { method: 'DELETE' })).status, 200);
  }

  // Let the next fitting calls go wrong.
  fault(fault) {
    return this.command('fault', fault);
  }

  // All rows of an object, past the protocol: every value as text, null as the empty one.
  async snapshot(object, params = {}) {
    const { text } = await call(`${this.address}/snapshot?${new URLSearchParams({ object, ...params })}`);
    return parse(text, { columns: true });
  }

  // A portal's token, OAuth client and counts.
  facts() {
    return this.shown('');
  }

  // All live records of a portal's kind with every property and association, past the protocol.
  async records(object, params = {}) {
    const { text } = await call(`${this.address}/snapshot?${new URLSearchParams({ object, ...params })}`);
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  // How many calls of the protocol there were so far, of those whose address contains a text.
  async calls(pathContains = '') {
    const stats = await this.shown('/stats');
    return (stats.calls ?? stats).filter((each) => each.path.includes(pathContains)).reduce((sum, each) => sum + each.calls, 0);
  }
}

// The ids of records, sorted: Salesforce's, or HubSpot's.
export const ids = (records) => records.map((each) => each.Id ?? each.id).sort();
