// The only place that talks to the service. The token lives in this tab's sessionStorage and travels in a header, never in a URL.

const KEY = 'webhookservice-token';

let token = sessionStorage.getItem(KEY);
let refused = () => {};

export const hasToken = () => token !== null;

export function forgetToken() {
  token = null;
  sessionStorage.removeItem(KEY);
}

/** Called when the service stops taking the token. */
export function onRefused(listener) {
  refused = listener;
}

/** A refusal by the service, as its problem document tells it; `status` 0 if it did not answer at all. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `The service answered ${status}.`);
    Object.assign(this, { status, code: problem.code, hint: problem.hint, requestId: problem.requestId });
  }
}

/** Takes the token into use if it may read; throws a Refusal that says why not. */
export async function signIn(candidate) {
  await send('stats', {}, candidate);
  token = candidate;
  sessionStorage.setItem(KEY, candidate);
}

/** Asks api/v1 for JSON: { data, etag }. */
export async function ask(path, { query, ...options } = {}) {
  try {
    return await send(path + search(query), options, token);
  } catch (failed) {
    if (failed.status === 401) refused();
    throw failed;
  }
}

/** The answer's JSON alone. */
export const get = async (path, query, signal) => (await ask(path, { query, signal })).data;

/** The body of an answer that does not end. */
export async function open(path, query, signal) {
  const response = await request(path + search(query), { signal, headers: { Accept: 'text/event-stream' } }, token);
  if (!response.ok) throw new Refusal(response.status, {});
  return response.body;
}

export const devicePath = (clientId, rest = '') => `devices/${encodeURIComponent(clientId)}${rest}`;

/** No browser sends these two as a part of a path; ids like them are asked for by filter. */
export const isDots = clientId => clientId === '.' || clientId === '..';

function search(query) {
  const used = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return used.length ? `?${new URLSearchParams(used)}` : '';
}

async function request(path, { method = 'GET', body, headers = {}, signal }, bearer) {
  try {
    return await fetch(`api/v1/${path}`, {
      method, body, signal,
      headers: { Accept: 'application/json', Authorization: `Bearer ${bearer}`, ...headers },
      cache: 'no-store',
      credentials: 'omit', // the token is the only credential; a browser's own login box never opens
    });
  } catch (failed) {
    if (failed.name === 'AbortError') throw failed;
    throw new Refusal(0, { detail: 'The service does not answer.', hint: 'Is it running? The page tries again by itself.' });
  }
}

async function send(path, options, bearer) {
  const response = await request(path, options, bearer);
  const text = await response.text();
  const data = parse(text);
  if (!response.ok) throw new Refusal(response.status, data ?? {});
  return { data, etag: response.headers.get('ETag') };
}

function parse(text) {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null; // a proxy's page, say; the status says enough
  }
}
