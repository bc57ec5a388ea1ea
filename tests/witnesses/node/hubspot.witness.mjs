// @hubspot/api-client, HubSpot's own Node client, against the sandbox.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import { Client, Signature } from '@hubspot/api-client';
import { ADDRESS, AWKWARD, Hand, ids, submit } from './hand.mjs';

const CALLBACK = 'http://localhost:1/callback';
const SCOPES = 'oauth crm.objects.deals.read crm.objects.owners.read';
const NO_LIMITS = { calls_per_ten_seconds: 100_000, searches_per_second: 10_000 };
const portal = new Hand('portals/main');
const scratch = new Hand('portals/scratch');
const client = (accessToken, more = {}) => new Client({ accessToken, basePath: ADDRESS, ...more });
const clientOf = async (hand, more) => client((await hand.facts()).token, more);
const where = (...filters) => [{ filters }];

before(async () => {
  await portal.command('switches', NO_LIMITS);
  await scratch.command('switches', NO_LIMITS);
});

afterEach(async () => {
  await scratch.command('faults/clear');
  await scratch.command('clock', { run: true });
  await scratch.command('switches', { ...NO_LIMITS, with_retry_after: false, search_lag_seconds: 0 });
});

// A code from the page on which a person lets the app in.
async function allowed() {
  const { client_id: clientId, client_secret: clientSecret } = await scratch.facts();
  const page = new URL(client().oauth.getAuthorizationUrl(clientId, CALLBACK, SCOPES, undefined, 'a b&c'));
  const answer = await submit(ADDRESS + page.pathname + page.search, { decision: 'allow' });
  const back = new URL(answer.headers.location).searchParams;
  assert.equal(back.get('state'), 'a b&c');
  return { clientId, clientSecret, code: back.get('code') };
}

const redeemed = ({ clientId, clientSecret, code }) =>
  client().oauth.tokensApi.create('authorization_code', code, CALLBACK, clientId, clientSecret);

const refreshed = ({ clientId, clientSecret }, refreshToken) =>
  client().oauth.tokensApi.create('refresh_token', undefined, undefined, clientId, clientSecret, refreshToken);

// The client's own error, with the status and what it parsed of the body.
const refusal = (code, body = {}) => (error) => {
  assert.equal(error.constructor.name, 'ApiException');
  assert.equal(error.code, code);
  const told = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
  for (const [name, value] of Object.entries(body)) {
    assert.deepEqual(told[name], value, name);
  }
  return true;
};

describe('signing in', () => {
  test('with a private app\'s token', async () => {
    const answer = await (await clientOf(portal)).apiRequest({ path: '/account-info/v3/details' });
    assert.equal((await answer.json()).portalId, (await portal.facts()).portal_id);
  });

  test('with a code, then with the refresh token once the access token has ended', async () => {
    const app = await allowed();
    const tokens = await redeemed(app);
    assert.deepEqual([tokens.tokenType, tokens.expiresIn], ['bearer', 1800]);
    const hs = client(tokens.accessToken);
    assert.ok((await hs.crm.deals.basicApi.getPage(1)).results.length);
    await scratch.command('clock', { advance_seconds: 1801 });
    await assert.rejects(hs.crm.deals.basicApi.getPage(1), refusal(401, { category: 'EXPIRED_AUTHENTICATION' }));
    hs.setAccessToken((await refreshed(app, tokens.refreshToken)).accessToken);
    assert.ok((await hs.crm.deals.basicApi.getPage(1)).results.length);
  });

  test('what a token may do can be asked; a refresh token can be ended', async () => {
    const app = await allowed();
    const tokens = await redeemed(app);
    const info = await client().oauth.accessTokensApi.get(tokens.accessToken);
    assert.equal(info.hubId, (await scratch.facts()).portal_id);
    assert.deepEqual([...info.scopes].sort(), SCOPES.split(' ').sort());
    const kept = await client().oauth.refreshTokensApi.get(tokens.refreshToken);
    assert.deepEqual([kept.hubId, kept.userId, kept.clientId], [info.hubId, info.userId, app.clientId]);
    await client().oauth.refreshTokensApi.archive(tokens.refreshToken);
    await assert.rejects(refreshed(app, tokens.refreshToken), refusal(400));
  });

  test('wrong credentials are the client\'s own error', async () => {
    const app = await allowed();
    await assert.rejects(redeemed({ ...app, clientSecret: 'guessed' }), refusal(400, { message: 'missing or invalid client secret' }));
    await assert.rejects(redeemed({ ...app, code: 'never' }), refusal(400, { message: 'missing or unknown auth code' }));
    await assert.rejects(refreshed(app, 'never'), refusal(400, { message: 'missing or unknown refresh token' }));
    await assert.rejects(client('pat-na1-stranger').crm.deals.basicApi.getPage(), refusal(401, { category: 'INVALID_AUTHENTICATION' }));
  });
});

describe('reading', () => {
  let hs;
  before(async () => { hs = await clientOf(portal); });

  for (const kind of ['deals', 'contacts', 'companies']) {
    test(`getAll of ${kind} follows every page`, async () => {
      const before = await portal.calls(`/objects/${kind}`);
      const truth = ids(await portal.records(kind));
      assert.deepEqual(ids(await hs.crm[kind].getAll()), truth);
      assert.equal((await portal.calls(`/objects/${kind}`)) - before, Math.ceil(truth.length / 100));
    });
  }

  for (const kind of ['calls', 'meetings', 'emails', 'notes', 'tasks']) {
    test(`a page of ${kind}`, async () => {
      const page = await hs.crm.objects[kind].basicApi.getPage(100);
      const truth = await portal.records(kind);
      assert.deepEqual(page.results.map((each) => each.id), truth.slice(0, 100).map((each) => each.id));
      assert.equal(page.paging !== undefined, truth.length > 100);
    });
  }

  test('properties, history and associations that were asked for', async () => {
    const names = ['dealname', 'amount', 'dealstage'];
    const page = await hs.crm.deals.basicApi.getPage(50, undefined, names, ['dealstage'], ['contacts', 'companies']);
    const truth = new Map((await portal.records('deals')).map((each) => [each.id, each]));
    for (const record of page.results) {
      const there = truth.get(record.id);
      for (const name of names) {
        assert.equal(record.properties[name], there.properties[name]);
      }
      assert.equal(record.propertiesWithHistory.dealstage[0].value, record.properties.dealstage);
      assert.ok(record.propertiesWithHistory.dealstage[0].timestamp instanceof Date);
      for (const kind of ['contacts', 'companies']) {
        const shown = new Set((record.associations?.[kind]?.results ?? []).map((each) => each.id));
        assert.deepEqual([...shown].sort(), ids(there.associations?.[kind] ?? []));
      }
    }
  });

  test('one record by its id or by another property', async () => {
    const there = (await portal.records('contacts')).find((each) => each.properties.email);
    const byId = await hs.crm.contacts.basicApi.getById(there.id, ['email']);
    assert.ok(byId.createdAt instanceof Date);
    const byEmail = await hs.crm.contacts.basicApi.getById(byId.properties.email, undefined, undefined, undefined, undefined, 'email');
    assert.equal(byEmail.id, there.id);
  });

  test('archived records are listed apart', async () => {
    const gone = await hs.crm.deals.getAll(100, undefined, undefined, undefined, undefined, true);
    const living = new Set(ids(await portal.records('deals')));
    assert.deepEqual(ids(gone), ids(await portal.records('deals', { archived: 1 })).filter((id) => !living.has(id)));
    assert.ok(gone.length > 0 && gone.every((each) => each.archived && each.archivedAt instanceof Date));
  });

  test('owners', async () => {
    const people = (await portal.shown('/people')).filter((each) => each.is_active);
    const page = await hs.crm.owners.ownersApi.getPage(undefined, undefined, 100);
    assert.deepEqual(ids(page.results), ids(people));
    const [first] = page.results;
    assert.deepEqual(ids((await hs.crm.owners.ownersApi.getPage(first.email)).results), [first.id]);
  });

  test('pipelines and properties', async () => {
    const pipelines = (await hs.crm.pipelines.pipelinesApi.getAll('deals')).results;
    const stages = new Set(pipelines.flatMap((each) => each.stages.map((stage) => `${each.id} ${stage.id}`)));
    const deals = await portal.records('deals');
    assert.ok(deals.every(({ properties }) => stages.has(`${properties.pipeline} ${properties.dealstage}`)));
    const described = new Set((await hs.crm.properties.coreApi.getAll('deals')).results.map((each) => each.name));
    assert.ok(Object.keys(deals[0].properties).every((name) => described.has(name)));
    assert.equal((await hs.crm.properties.coreApi.getByName('deals', 'amount')).type, 'number');
  });
});

describe('searching', () => {
  let hs;
  before(async () => { hs = await clientOf(portal); });

  test('pages by after and total', async () => {
    const amounts = (await portal.records('deals')).map((each) => Number(each.properties.amount));
    const found = [];
    let page = { paging: { next: { after: undefined } } };
    while (page.paging) {
      page = await hs.crm.deals.searchApi.doSearch({
        filterGroups: where({ propertyName: 'amount', operator: 'GTE', value: '20000' }),
        sorts: ['-amount'], properties: ['amount'], limit: 50, after: page.paging.next.after,
      });
      found.push(...page.results);
    }
    assert.equal(new Set(ids(found)).size, page.total);
    assert.equal(page.total, amounts.filter((each) => each >= 20_000).length);
    const shown = found.map((each) => Number(each.properties.amount));
    assert.deepEqual(shown, [...shown].sort((a, b) => b - a));
  });

  test('between, and any of several groups', async () => {
    const truth = (await portal.records('deals')).map((each) => each.properties);
    const found = await hs.crm.deals.searchApi.doSearch({
      filterGroups: [
        { filters: [{ propertyName: 'amount', operator: 'BETWEEN', value: '5000', highValue: '9000' }] },
        { filters: [{ propertyName: 'amount', operator: 'NOT_HAS_PROPERTY' }] },
      ],
      limit: 1,
    });
    const fits = ({ amount }) => !amount || (Number(amount) >= 5000 && Number(amount) <= 9000);
    assert.equal(found.total, truth.filter(fits).length);
    assert.ok(found.total > 0);
  });

  const refused = {
    'past ten thousand': { after: '9950', limit: 100 },
    'more than a page may hold': { limit: 201 },
    'a property that there is not': { filterGroups: where({ propertyName: 'nope', operator: 'EQ', value: 'x' }) },
  };
  for (const [what, search] of Object.entries(refused)) {
    test(`refused: ${what}`, () =>
      assert.rejects(hs.crm.deals.searchApi.doSearch(search), refusal(400, { category: 'VALIDATION_ERROR' })));
  }
});

describe('batches and associations', () => {
  let hs;
  let writer;
  before(async () => {
    hs = await clientOf(portal);
    writer = await clientOf(scratch);
  });

  test('a hundred at once, and what is missing is told beside the rest', async () => {
    const wanted = ids(await portal.records('deals')).slice(0, 99);
    const inputs = [...wanted, '999'].map((id) => ({ id }));
    const read = await hs.crm.deals.batchApi.read({ inputs, properties: ['dealname'], propertiesWithHistory: [] });
    assert.deepEqual(ids(read.results), wanted);
    assert.deepEqual([read.status, read.numErrors, read.errors[0].category], ['COMPLETE', 1, 'OBJECT_NOT_FOUND']);
  });

  test('more than a hundred are refused', async () => {
    const inputs = Array.from({ length: 101 }, (_, id) => ({ id: String(id) }));
    await assert.rejects(hs.crm.deals.batchApi.read({ inputs, properties: [], propertiesWithHistory: [] }),
      refusal(400, { category: 'VALIDATION_ERROR' }));
  });

  test('create, update and archive many', async () => {
    const names = ['One', 'Two', 'Three'];
    const made = await writer.crm.companies.batchApi.create({ inputs: names.map((name) => ({ properties: { name }, associations: [] })) });
    assert.deepEqual(made.results.map((each) => each.properties.name), names);
    await writer.crm.companies.batchApi.update({ inputs: made.results.map(({ id }) => ({ id, properties: { city: 'Ulm' } })) });
    const there = new Map((await scratch.records('companies')).map((each) => [each.id, each.properties]));
    assert.ok(made.results.every(({ id }) => there.get(id).city === 'Ulm'));
    await writer.crm.companies.batchApi.archive({ inputs: made.results.map(({ id }) => ({ id })) });
    const left = new Set(ids(await scratch.records('companies')));
    assert.ok(made.results.every(({ id }) => !left.has(id)));
  });

  test('all associations of a kind with their labels', async () => {
    const deals = (await portal.records('deals')).filter((each) => each.associations?.contacts?.length);
    const read = await hs.crm.associations.v4.batchApi.getPage('deals', 'contacts', { inputs: deals.map(({ id }) => ({ id })) });
    const labelled = (links, id, labels) => Object.fromEntries(links.map((link) => [String(link[id]), labels(link).sort()]));
    const found = Object.fromEntries(read.results.map((each) => [each._from.id, labelled(each.to, 'toObjectId',
      (link) => link.associationTypes.map((type) => type.label).filter(Boolean))]));
    const truth = Object.fromEntries(deals.map((each) => [each.id, labelled(each.associations.contacts, 'id', (link) => link.labels)]));
    assert.deepEqual(found, truth);
  });

  test('associating and parting two records', async () => {
    const [contact] = ids(await scratch.records('contacts'));
    const { id } = await writer.crm.deals.basicApi.create({ properties: { dealname: 'Linked' }, associations: [] });
    const api = writer.crm.associations.v4.basicApi;
    await api.create('deals', id, 'contacts', contact, [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 3 }]);
    const { results } = await api.getPage('deals', id, 'contacts');
    assert.deepEqual(results.map((each) => String(each.toObjectId)), [contact]);
    assert.equal(results[0].associationTypes[0].typeId, 3);
    await api.archive('deals', id, 'contacts', contact);
    assert.deepEqual((await api.getPage('deals', id, 'contacts')).results, []);
  });
});

describe('records', () => {
  let hs;
  before(async () => { hs = await clientOf(scratch); });

  test('create, read, search, update, archive', async () => {
    const api = hs.crm.deals.basicApi;
    const { id } = await api.create({ properties: { dealname: AWKWARD, amount: '1200.5' }, associations: [] });
    assert.equal((await api.getById(id)).properties.dealname, AWKWARD);
    const found = await hs.crm.deals.searchApi.doSearch({
      filterGroups: where({ propertyName: 'dealname', operator: 'EQ', value: AWKWARD }), properties: ['dealname'],
    });
    assert.deepEqual(found.results.map((each) => [each.id, each.properties.dealname]), [[id, AWKWARD]]);
    await api.update(id, { properties: { dealname: 'Plain', amount: '' } });
    const there = (await scratch.records('deals')).find((each) => each.id === id);
    assert.deepEqual([there.properties.dealname, there.properties.amount || null], ['Plain', null]);
    await api.archive(id);
    await assert.rejects(api.getById(id), refusal(404));
    const gone = await api.getById(id, undefined, undefined, undefined, true);
    assert.deepEqual([gone.archived, gone.updatedAt.toISOString()], [true, new Date(there.updatedAt).toISOString()]);
  });

  test('merging leaves one', async () => {
    const [one, two] = ids(await scratch.records('contacts'));
    const kept = await hs.crm.contacts.basicApi.merge({ primaryObjectId: one, objectIdToMerge: two });
    const left = ids(await scratch.records('contacts'));
    assert.ok(left.includes(kept.id) && !left.includes(two));
  });

  test('a value that does not fit names its property', () =>
    assert.rejects(hs.crm.deals.basicApi.create({ properties: { amount: 'much' }, associations: [] }), (error) =>
      refusal(400, { category: 'VALIDATION_ERROR' })(error) && /amount/.test(error.body.message)));
});

describe('things that go wrong', () => {
  let hs;
  before(async () => { hs = await clientOf(scratch); });

  for (const status of [401, 403, 404, 429, 500, 503]) {
    test(`${status} is the client's own error with what it parsed`, async () => {
      await scratch.fault({ kind: 'status', status, path_contains: '/objects/deals' });
      await assert.rejects(hs.crm.deals.basicApi.getPage(), (error) =>
        refusal(status)(error) && Boolean((error.body.correlationId ?? JSON.parse(error.body).correlationId)));
      assert.ok((await hs.crm.deals.basicApi.getPage()).results.length);
    });
  }

  test('a missing scope is named', async () => {
    await scratch.command('scopes', { remove: ['crm.objects.deals.read'] });
    const refused = hs.crm.deals.basicApi.getPage();
    await assert.rejects(refused, (error) => {
      assert.deepEqual(error.body.errors[0].context.requiredScopes, ['crm.objects.deals.read']);
      return refusal(403, { category: 'MISSING_SCOPES' })(error);
    });
    await scratch.command('scopes', { add: ['crm.objects.deals.read'] });
  });

  test('its own retries wait out the limit of searches', async () => {
    await scratch.undo('stats');
    await scratch.command('switches', { searches_per_second: 1 });
    const patient = await clientOf(scratch, { numberOfApiCallRetries: 3 });
    for (let search = 0; search < 3; search += 1) {
      assert.ok((await patient.crm.deals.searchApi.doSearch({ limit: 1 })).total > 0);
    }
    const stats = await scratch.shown('/stats');
    assert.ok(stats.refused.SECONDLY >= 1);
  });

  test('its own retries get over a server error', async () => {
    await scratch.fault({ kind: 'status', status: 502, path_contains: '/objects/deals' });
    const patient = await clientOf(scratch, { numberOfApiCallRetries: 2 });
    assert.ok((await patient.crm.deals.basicApi.getPage()).results.length);
  });

  test('its own limiter keeps below the limit of ten seconds', async () => {
    await scratch.undo('stats');
    await scratch.command('switches', { calls_per_ten_seconds: 12 });
    const careful = await clientOf(scratch, { limiterOptions: { maxConcurrent: 2, minTime: 50 } });
    await Promise.all(Array.from({ length: 12 }, () => careful.crm.deals.basicApi.getPage(1)));
    const stats = await scratch.shown('/stats');
    assert.deepEqual([stats.refused, stats.peak_calls_in_ten_seconds, stats.most_in_flight <= 2], [{}, 12, true]);
    await assert.rejects(careful.crm.deals.basicApi.getPage(1), refusal(429));
  });
});

describe('webhooks', () => {
  const secret = 'hush';
  let server;
  let url;
  let delivery;

  before(async () => {
    const taken = new Promise((resolve) => {
      server = createServer((request, response) => {
        const pieces = [];
        request.on('data', (piece) => pieces.push(piece));
        request.on('end', () => {
          response.writeHead(204).end();
          resolve({ headers: request.headers, body: Buffer.concat(pieces).toString('utf8') });
        });
      });
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    url = `http://127.0.0.1:${server.address().port}/hooks?a=b`;
    await scratch.command('webhooks', { subscription: { url, client_secret: secret } });
    await (await clientOf(scratch)).crm.deals.basicApi.create({ properties: { dealname: AWKWARD }, associations: [] });
    delivery = await taken;
  });

  after(async () => {
    await scratch.command('webhooks');
    server.close();
    server.closeAllConnections();
  });

  // What the client's own helper says of the delivery, or of one that was tampered with.
  const isValid = (changed = {}) => Signature.isValid({
    signatureVersion: 'v3', method: 'POST', url, clientSecret: secret, requestBody: delivery.body,
    signature: delivery.headers['x-hubspot-signature-v3'],
    timestamp: Number(delivery.headers['x-hubspot-request-timestamp']), ...changed,
  });

  test('the signature is accepted', () => {
    assert.equal(isValid(), true);
    const kinds = JSON.parse(delivery.body).map((event) => event.subscriptionType);
    assert.ok(kinds.includes('deal.creation'), kinds.join());
  });

  test('a tampered delivery is refused', () => {
    assert.equal(isValid({ clientSecret: 'guessed' }), false);
    assert.equal(isValid({ requestBody: delivery.body.replace('deal', 'd3al') }), false);
    assert.equal(isValid({ url: 'http://127.0.0.1/other' }), false);
    assert.equal(isValid({ timestamp: Number(delivery.headers['x-hubspot-request-timestamp']) + 1 }), false);
    assert.throws(() => isValid({ timestamp: Date.now() - 400_000 }), /Timestamp is invalid/);
  });

  test('the older signature is accepted', () => {
    const older = { signatureVersion: 'v1', clientSecret: secret, requestBody: delivery.body, signature: delivery.headers['x-hubspot-signature'] };
    assert.equal(Signature.isValid(older), true);
    assert.equal(Signature.isValid({ ...older, requestBody: `${delivery.body} ` }), false);
  });
});
