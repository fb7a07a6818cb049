// What several pages show alike.
import { h, s, show, say } from './dom.js';
import { ago, bytes, duration, none, words } from './format.js';

export const deviceLink = (clientId, attributes) =>
  h('a', { class: 'id', href: `#/devices/${encodeURIComponent(clientId)}`, ...attributes }, h('bdi', null, clientId));

/** The state of a connection: form and word tell it, colour only helps. */
export function connectivity({ status, confidence, flapping }) {
  return h('span', { class: 'state' },
    h('span', { class: `dot ${status}`, 'aria-hidden': 'true' }),
    h('span', { class: `word ${status}` }, status),
    status !== 'unknown' && confidence !== 'confirmed' ? sure(confidence) : null,
    flapping ? h('span', { class: 'tag warn', title: 'It comes and goes too often at present.' }, 'flapping') : null);
}

const meanings = {
  confirmed: 'An event that names its session, or the broker itself, says so.',
  inferred: 'From evidence that allows another reading.',
  stale: 'Nothing was heard for longer than its keep alive allows.',
};

export const sure = confidence =>
  h('span', { class: `tag ${confidence === 'confirmed' ? '' : 'warn'}`, title: meanings[confidence] }, confidence);

export const activity = ({ status }) => h('span', { class: `activity ${status}` }, status);

/** A table whose cells carry their headings, so that it becomes a list of cards where it is narrow. */
export function table(label, columns, className = '') {
  const body = h('tbody');
  const element = h('div', { class: `scroll ${className}` },
    h('table', { 'aria-label': label },
      h('thead', null, h('tr', null, columns.map(column =>
        h('th', { scope: 'col', class: column.number ? 'number' : null, 'aria-sort': column.sorted ?? null }, column.head ?? column.name)))),
      body));
  const row = (...cells) => h('tr', null, cells.map((cell, i) =>
    h('td', { 'data-label': columns[i].name, class: columns[i].number ? 'number' : columns[i].class }, cell)));
  return { element, body, row };
}

export const empty = (title, ...more) => h('div', { class: 'empty' }, h('p', { class: 'lead' }, title), more);

/** A refusal and what to do next. */
export function problem(failed) {
  return h('div', { class: 'note bad', role: 'alert' },
    h('p', null, h('strong', null, failed.message)),
    failed.hint ? h('p', null, failed.hint) : null,
    failed.status === 403 ? h('p', null, 'Sign out and come back with a token of the scope “manage”.') : null,
    failed.requestId ? h('p', { class: 'faint' }, 'Request ', h('code', null, failed.requestId)) : null);
}

/** A button that asks once more before it acts, and cannot be pressed twice. */
export function action(text, act, { confirm, kind = '' } = {}) {
  const button = h('button', { type: 'button', class: kind }, text);
  let armed = null;
  const disarm = () => {
    clearTimeout(armed);
    armed = null;
    button.textContent = text;
  };
  button.addEventListener('click', async () => {
    if (confirm && !armed) {
      button.textContent = confirm;
      say(`${confirm} Press once more to do it.`);
      armed = setTimeout(disarm, 4000);
      return;
    }
    disarm();
    button.disabled = true;
    try {
      await act();
    } finally {
      button.disabled = false;
    }
  });
  button.addEventListener('blur', () => armed && disarm());
  return button;
}

/** Text to take along. */
export function copyable(text, label) {
  const button = h('button', { type: 'button', class: 'quiet copy', 'aria-label': `Copy ${label}` }, 'Copy');
  const block = h('pre', { tabindex: '0', 'aria-label': label }, text);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
      say(`${label} copied`);
    } catch {
      // Plain HTTP on another host has no clipboard: mark the text, so that the keyboard can copy it.
      getSelection().selectAllChildren(block);
      button.textContent = 'Marked: press Ctrl+C';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 2500);
  });
  return h('div', { class: 'copyable' }, block, button);
}

/** One line of a payload. */
export function glimpse(payload) {
  if (payload.bytes === 0) return none('empty');
  if (payload.encoding === 'base64') {
    return h('span', { class: 'glimpse' }, h('span', { class: 'tag' }, 'binary'), ' ', h('code', null, hex(decode(payload.data, 24)).join(' ')), payload.bytes > 24 ? '…' : '');
  }
  return h('span', { class: 'glimpse' }, payload.encoding === 'lossy' ? [lossy(), ' '] : null, h('code', null, payload.data.slice(0, 160)));
}

/** All of a payload (or as much as a page bears): JSON laid out, bytes as a dump. */
export function payload(payload, most = 64 * 1024) {
  const size = payload.bytes === undefined ? null : bytes(payload.bytes);
  if (payload.encoding === 'base64') {
    return h('div', { class: 'payload' },
      h('p', { class: 'faint' }, h('span', { class: 'tag' }, 'binary'), ' ', size),
      h('pre', { tabindex: '0' }, dump(decode(payload.data, 4096))),
      payload.bytes > 4096 ? h('p', { class: 'faint' }, 'The first 4 KiB; the API has all of it.') : null);
  }
  const text = payload.data.slice(0, most);
  const pretty = laidOut(text);
  const block = h('pre', { tabindex: '0' }, pretty ?? text);
  const toggle = pretty && pretty !== text
    ? h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', on: { click: event => {
      const raw = event.target.getAttribute('aria-pressed') === 'false';
      event.target.setAttribute('aria-pressed', String(raw));
      event.target.textContent = raw ? 'Lay out' : 'As it was sent';
      show(block, raw ? text : pretty);
    } } }, 'As it was sent') : null;
  return h('div', { class: 'payload' },
    h('p', { class: 'faint' }, payload.encoding === 'lossy' ? lossy() : h('span', { class: 'tag' }, pretty ? 'JSON' : 'text'), ' ', size, ' ', toggle),
    block,
    payload.data.length > most ? h('p', { class: 'faint' }, `The first ${bytes(most)}; the API has all of it.`) : null);
}

const lossy = () => h('span', { class: 'tag warn', title: 'The broker replaced bytes that are no text (U+FFFD): they are gone. Send payloads as base64 to keep them.' }, 'lossy text');

function laidOut(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null; // only looks like JSON: shown as it is
  }
  // Laid out by token and not by parsing, so that numbers keep every digit that was sent.
  let depth = 0;
  let out = '';
  const line = () => { out += '\n' + '  '.repeat(depth); };
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs)) {
    if (token === '{' || token === '[') { out += token; depth++; line(); }
    else if (token === '}' || token === ']') { depth--; line(); out += token; }
    else if (token === ',') { out += token; line(); }
    else out += token === ':' ? ': ' : token;
  }
  return out.replace(/([{[])\s+([}\]])/g, '$1$2');
}

const decode = (base64, most) => Uint8Array.from(atob(base64.slice(0, Math.ceil(most / 3) * 4)), c => c.charCodeAt(0)).subarray(0, most);
const hex = octets => [...octets].map(octet => octet.toString(16).padStart(2, '0'));

function dump(octets) {
  const lines = [];
  for (let at = 0; at < octets.length; at += 16) {
    const part = octets.subarray(at, at + 16);
    const text = [...part].map(octet => (octet > 31 && octet < 127 ? String.fromCharCode(octet) : '·')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex(part).join(' ').padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}

/** A little curve of the last values. */
export function sparkline(values, label) {
  const [width, height] = [120, 28];
  const top = Math.max(...values, 1e-9) * 1.15;
  const points = values.map((value, i) => `${(i / Math.max(values.length - 1, 1) * width).toFixed(1)},${(height - 2 - value / top * (height - 4)).toFixed(1)}`);
  return s('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    values.length > 1 ? s('polyline', { points: points.join(' '), 'vector-effect': 'non-scaling-stroke' }) : null);
}

/** Time as a line: each stretch in the look of its state. Blank is what nobody knows. */
export function timeline(stretches, from, to, label) {
  const [width, height] = [1000, 18];
  const x = at => (Date.parse(at) - from) / (to - from) * width;
  return s('svg', { class: 'timeline', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    s('rect', { class: 'ground', width, height }),
    stretches.filter(one => one.status !== 'unknown').map(one => s('rect', {
      class: one.status === 'online' && one.confidence !== 'confirmed' ? 'unsure' : one.status,
      x: x(one.from).toFixed(2), width: Math.max(x(one.to) - x(one.from), 1.5).toFixed(2), height: one.status === 'offline' ? height / 3 : height,
      y: one.status === 'offline' ? height / 3 * 2 : 0,
    }, s('title', null, `${one.status}${one.reason ? ` (${words(one.reason)})` : ''} for ${duration((Date.parse(one.to) - Date.parse(one.from)) / 1000)}`))));
}

/** How many were online, bucket by bucket: a curve over its area. */
export function curve(values, top, label) {
  const [width, height] = [1000, 90];
  const step = width / Math.max(values.length - 1, 1);
  const points = values.map((value, i) => `${(i * step).toFixed(1)},${(height - 2 - value / Math.max(top, 1) * (height - 6)).toFixed(1)}`);
  return s('svg', { class: 'curve', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    s('polygon', { points: `0,${height} ${points.join(' ')} ${width},${height}` }),
    s('polyline', { points: points.join(' '), 'vector-effect': 'non-scaling-stroke' }));
}

const sentences = {
  'reconciliation.finished': data => [h('a', { href: '#/broker' }, 'Comparison'), ` with broker ${data.broker}: ${words(data.result)}, ${data.findings.scanned} listed, `,
    `${data.findings.correctedOnline + data.findings.correctedOffline} corrected`],
  'device.discovered': () => 'seen for the first time',
  'device.went-online': data => ['went ', h('strong', { class: 'online' }, 'online'), data.node ? [' on ', h('bdi', null, data.node)] : null],
  'device.went-offline': data => ['went ', h('strong', { class: 'offline' }, 'offline'), ': ', words(data.reason), raw(data)],
  'device.went-unknown': () => ['became ', h('strong', null, 'unknown'), ': nothing was heard of it for too long'],
  'device.offline-confirmed': data => ['is still ', h('strong', { class: 'offline' }, 'offline'), ': ', words(data.reason), raw(data)],
  'device.went-stale': () => 'went stale: nothing was heard for longer than its keep alive allows',
  'device.heard-again': () => 'was heard again',
  'device.went-silent': () => 'went silent: no message for longer than expected',
  'device.resumed': () => 'sends messages again',
  'device.started-flapping': () => 'began to flap: it comes and goes too often',
  'device.stopped-flapping': () => 'has calmed down',
  'device.presence-corrected': data => ['was corrected by the broker’s list: ', data.from, ' → ', data.to],
  'device.described': () => 'was described anew',
  'session.started': data => ['session began', data.ip ? [' from ', h('bdi', null, data.ip)] : null],
  'session.ended': data => ['session ended: ', words(data.reason), raw(data)],
  'subscription.started': data => ['subscribed to ', h('code', null, data.filter), ` at QoS ${data.qos}`],
  'subscription.ended': data => ['no longer subscribes to ', h('code', null, data.filter), data.by ? `: ${words(data.by)}` : null],
  'message.published': data => ['published on ', topic(data)],
  'message.delivered': data => ['was given ', topic(data)],
  'message.acked': data => ['acknowledged ', topic(data)],
  'message.dropped': data => [topic(data), ' was dropped: ', words(data.reason)],
  'delivery.dropped': data => ['did not get ', topic(data), ': ', words(data.reason)],
};

const raw = data => (data.rawReason && data.rawReason !== words(data.reason) ? h('span', { class: 'faint' }, ' (', data.rawReason, ')') : null);
const topic = data => (data.message
  ? h('a', { href: `#/messages/${encodeURIComponent(data.message.id)}` }, h('code', null, data.message.topic))
  : 'a message that is no longer kept');

/** An entry of the journal in a sentence, and all it says on demand. */
export function journalEntry(entry, { withDevice = true } = {}) {
  const data = entry.data ?? {};
  const sentence = sentences[entry.type];
  const unsure = data.confidence && data.confidence !== 'confirmed' ? [' ', sure(data.confidence)] : null;
  const why = data.cause && data.cause !== 'event' ? h('span', { class: 'tag' }, data.cause) : null;
  return h('li', { class: 'event' },
    h('span', { class: 'when' }, ago(entry.at)),
    h('details', null,
      h('summary', null,
        withDevice && entry.clientId ? [deviceLink(entry.clientId), ' '] : null,
        h('span', null, sentence ? sentence(data) : [h('span', { class: 'faint' }, 'report '), h('code', null, entry.type)]), unsure, why ? [' ', why] : null),
      h('dl', { class: 'facts' },
        fact('Sequence', entry.seq), fact('Type', h('code', null, entry.type)), fact('At', entry.at)),
      Object.keys(data).length ? h('pre', { tabindex: '0' }, JSON.stringify(data, null, 2)) : null));
}

export const fact = (name, ...value) => [h('dt', null, name), h('dd', null, value.flat().every(part => part === null || part === undefined || part === '') ? none() : value)];
