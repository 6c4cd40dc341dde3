// Starts npm's `oidc-provider` (certified by the OpenID Foundation) on a loopback port for tests. Not for people: anybody logs in with any password.
//
//   node starter.mjs FOLDER        FOLDER holds node_modules (`npm ci`)
//   first line on stdout:          {"issuer":"http://127.0.0.1:PORT","client_id":"...","client_secret":"..."}
//   lines on stdin, one order each, each answered with "done ORDER":
//     rotate                       signs with a new key, publishes only that
//     claims id_token|userinfo     where claims of a scope are told
//     fault NAME                   what the next ID token (or answer to a poll) has wrong; see `faults`
//   end of stdin                   ends the process, so that it never outlives its test

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { randomBytes, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// The provider has things to tell; stdout is for answers.
console.info = console.error;
console.log = console.error;
const load = (name) => import(pathToFileURL(createRequire(`${process.argv[2]}/`).resolve(name)).href);
const { default: Provider } = await load('oidc-provider');
const jose = await load('jose');

const client_id = 'cairn';
const client_secret = randomBytes(24).toString('base64url');
const cookies = randomBytes(24).toString('base64url');
const people = {
  alice: { name: 'Alice Ame', email: 'alice@example.test', groups: ['admins', 'operators'] },
  bob: { name: 'Bob Berg', email: 'bob@example.test', groups: ['viewers'] },
};

const state = { key: undefined, provider: undefined, conform: true, fault: undefined };
const server = createServer((request, response) => state.handle(request, response));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

// Another login is somebody without groups, so that tests can have as many people as they like.
function account(login) {
  const person = people[login] ?? { name: login, email: `${login}@example.test` };
  return {
    accountId: login,
    claims: () => ({ sub: login, preferred_username: login, email_verified: true, ...person }),
  };
}

// Signs `claims` anew: what is wrong with them is then the only thing wrong.
async function sign(claims, { key = state.key.privateKey, alg = 'RS256', kid = state.key.kid } = {}) {
  return new jose.SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key);
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const foreign = (await jose.generateKeyPair('RS256')).privateKey;
const faults = {
  expired: (_, claims) => sign({ ...claims, iat: claims.iat - 7200, exp: claims.iat - 3600 }),
  future: (_, claims) => sign({ ...claims, iat: claims.iat + 3600, exp: claims.iat + 7200 }),
  nonce: (_, claims) => sign({ ...claims, nonce: 'of-another-login' }),
  no_nonce: (_, { nonce, ...claims }) => sign(claims),
  audience: (_, claims) => sign({ ...claims, aud: 'another-client' }),
  audiences: (_, claims) => sign({ ...claims, aud: [client_id, 'another-client'] }),
  party: (_, claims) => sign({ ...claims, azp: 'another-client' }),
  issuer: (_, claims) => sign({ ...claims, iss: 'https://issuer.example.test' }),
  at_hash: (_, claims) => sign({ ...claims, at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }),
  access_token: (_, { at_hash, ...claims }, body) => {
    body.access_token = 'a\nb';
    return sign(claims);
  },
  foreign_key: (_, claims) => sign(claims, { key: foreign }),
  // The classic: the client's secret as HMAC key.
  hmac: (_, claims) => sign(claims, { key: new TextEncoder().encode(client_secret), alg: 'HS256' }),
  unsigned: (_, claims) => `${part({ alg: 'none' })}.${part(claims)}.`,
  tampered: (token, claims) => {
    const [head, , signature] = token.split('.');
    return [head, part({ ...claims, sub: 'mallory' }), signature].join('.');
  },
  garbage: () => 'not.a.token',
  missing: () => undefined,
};

async function spoil(ctx, next) {
  const { fault } = state;
  if (ctx.path !== '/token' || !fault) return next();
  if (fault === 'slow_down') {
    state.fault = undefined;
    ctx.status = 400;
    ctx.body = { error: 'slow_down' };
    return undefined;
  }
  if (fault === 'huge') {
    state.fault = undefined;
    ctx.body = { access_token: 'x'.repeat(4 << 20), token_type: 'Bearer' };
    return undefined;
  }
  if (fault === 'redirect') {
    state.fault = undefined;
    ctx.redirect(`${issuer}/elsewhere`);
    return undefined;
  }
  await next();
  if (!ctx.body?.id_token) return undefined;
  state.fault = undefined;
  ctx.body.id_token = await faults[fault](ctx.body.id_token, jose.decodeJwt(ctx.body.id_token), ctx.body);
  return undefined;
}

async function freshKey() {
  const { privateKey } = await jose.generateKeyPair('RS256', { extractable: true });
  const kid = randomUUID();
  const jwk = { ...(await jose.exportJWK(privateKey)), kid, use: 'sig', alg: 'RS256' };
  return { privateKey, kid, jwk };
}

function start() {
  const provider = new Provider(issuer, {
    clients: [{
      client_id,
      client_secret,
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
      application_type: 'native',
    }],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'profile', 'email', 'groups'],
    conformIdTokenClaims: state.conform,
    findAccount: (_, login) => account(login),
    features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
    cookies: { keys: [cookies] },
    pkce: { required: () => true },
    jwks: { keys: [state.key.jwk] },
  });
  // Any loopback address: each test listens where there is room.
  provider.Client.prototype.redirectUriAllowed = (uri) => {
    const { hostname } = new URL(uri);
    return hostname === '127.0.0.1' || hostname === '[::1]' || hostname === 'localhost';
  };
  provider.use(spoil);
  state.handle = provider.callback();
}

const orders = {
  rotate: async () => { state.key = await freshKey(); start(); },
  claims: (where) => { state.conform = where === 'userinfo'; start(); },
  fault: (name) => {
    if (!(name in faults) && !['slow_down', 'huge', 'redirect'].includes(name)) throw new Error(`no fault ${name}`);
    state.fault = name;
  },
};

state.key = await freshKey();
start();
const say = (line) => process.stdout.write(`${line}\n`);
say(JSON.stringify({ issuer, client_id, client_secret }));
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, word] = line.split(' ');
  await orders[verb](word);
  say(`done ${line}`);
}
process.exit(0);
