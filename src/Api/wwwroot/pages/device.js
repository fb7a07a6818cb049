import { ask, devicePath, get, isDots } from '../lib/api.js';
import { h, reconcile, say, show } from '../lib/dom.js';
import { ago, capital, duration, moment, none, number, percent, plural, since, words } from '../lib/format.js';
import { activity, connectivity, empty, fact, glimpse, journalEntry, payload, problem, sure, table, timeline } from '../lib/parts.js';
import { downlinkList, kicker, sender } from './downlink.js';
import { messageTable, messageLine } from './messages.js';

const EVIDENCE = {
  session: 'A session that began and has not ended.',
  'session-end': 'The end of its last session was reported.',
  takeover: 'Its session was taken over; the successor was not reported yet.',
  'broker-list': 'The broker was asked, and its own list says so.',
  'sign-of-life': 'It did what only a connected client can do, though no session is known.',
  none: 'Nothing was reported that would tell.',
};
const ENDED_BY = { event: 'reported', superseded: 'a newer connection', reconciled: 'asked the broker', expired: 'ran out' };

export const title = clientId => clientId;

export function view(root, { argument: clientId, signal, heading, every }) {
  show(heading, h('bdi', { class: 'id' }, clientId));
  const reached = !isDots(clientId);
  const standing = h('div', { class: 'standing' });
  const described = h('div', { class: 'tags' });
  const change = h('button', { type: 'button', hidden: true, on: { click: editing } }, 'Edit name and tags');
  const kicked = h('div');
  const head = h('div', { class: 'device-head' }, h('div', null, standing, described), h('div', { class: 'actions' }, change, reached ? kicker(clientId, signal, kicked) : null));
  const presence = h('section', { class: 'panel' });
  const moves = h('section', { class: 'panel' });
  const session = h('section', { class: 'panel' });
  const edit = h('div');
  const strip = h('div', { class: 'strip' });
  let device = null;
  let etag = null;

  const sections = [
    section('Latest state by topic', 'Nothing published yet: the newest payload of each topic will stand here.',
      latest(), () => devicePath(clientId, '/state'), 5000),
    section('Messages', 'No message from this device is kept.', messageList(), () => devicePath(clientId, '/messages'), 5000),
    section('Messages to it', 'Nothing was sent to it from here.', downlinkList(), () => devicePath(clientId, '/downlinks'), 3000),
    section('Sessions', 'No session is known.', ledger(), () => devicePath(clientId, '/sessions'), 10000),
    section('Subscriptions', 'It subscribes to nothing now.', subscriptions(), () => devicePath(clientId, '/subscriptions'), 10000),
    section('Journal', 'Nothing happened yet.', journal(), () => devicePath(clientId, '/events'), 5000),
  ];

  sections[2].element.append(sender(clientId, signal));

  show(root, h('div', { class: 'stack' }, head, kicked, edit, h('div', { class: 'columns three' }, presence, moves, session), strip,
    reached ? sections.map(one => one.element)
      : h('p', { class: 'note' }, 'Browsers cannot ask for a client id of dots alone by path: its messages and sessions are in the fleet-wide lists.')));

  every(4000, async () => {
    const answer = await read();
    if (!answer) return;
    [device, etag] = answer;
    show(standing, connectivity(device.connectivity), device.connectivity.since ? h('span', { class: 'faint' }, since(device.connectivity.since)) : null);
    show(described,
      device.name ? h('b', null, device.name) : null,
      device.username ? h('span', { class: 'faint' }, 'user ', h('bdi', null, device.username)) : null,
      Object.entries(device.tags).map(([name, value]) => h('span', { class: 'tag' }, h('bdi', null, name), ': ', h('bdi', null, value))));
    change.hidden = false;
    show(presence, h('h2', null, 'Connectivity'), facts(connectivityFacts(device)));
    show(moves, h('h2', null, 'Activity'), facts(activityFacts(device)));
    show(session, h('h2', null, device.connectivity.status === 'online' ? 'Session' : 'Last session'),
      device.session ? facts(sessionFacts(device.session)) : h('p', { class: 'faint' }, 'No session is known.'));
  });
  if (reached) {
    every(30000, async () => {
      const week = new Date(Date.now() - 7 * 86_400_000).toISOString();
      const [day, days] = await Promise.all([
        get(devicePath(clientId, '/availability'), { stretches: true }, signal),
        get(devicePath(clientId, '/availability'), { from: week }, signal),
      ]);
      show(strip, availability(day, days));
    });
    for (const one of sections) one.start(every, signal);
  }

  async function read() {
    if (!reached) {
      const page = await get('devices', { clientId, limit: 1 }, signal);
      if (page.items.length) return [page.items[0], null];
    }
    try {
      const answer = await ask(devicePath(clientId), { signal });
      return [answer.data, answer.etag];
    } catch (failed) {
      if (failed.status !== 404) throw failed;
      show(root, empty('No broker has reported a device of this id.', h('p', null, h('a', { href: '#/devices' }, 'Look through all devices'))));
      return null;
    }
  }

  function editing() {
    const name = h('input', { id: 'name', value: device.name ?? '', maxlength: 200, autocomplete: 'off' });
    const tags = h('textarea', { id: 'tags', rows: Math.max(3, Object.keys(device.tags).length + 1), spellcheck: 'false', 'aria-describedby': 'tags-hint' });
    tags.value = Object.entries(device.tags).map(([key, value]) => `${key}=${value}`).join('\n');
    const said = h('div');
    const before = etag;
    const known = Object.keys(device.tags);
    const close = () => {
      show(edit);
      change.disabled = false;
      change.focus();
    };
    change.disabled = true;
    show(edit, h('form', { class: 'panel edit', on: { submit: save } },
      h('label', { for: 'name' }, 'Name'), name,
      h('label', { for: 'tags' }, 'Tags'), tags,
      h('p', { class: 'hint', id: 'tags-hint' }, 'One in each line, as name=value. Both are yours: no broker writes them.'),
      said,
      h('div', { class: 'actions' }, h('button', { type: 'submit', class: 'primary' }, 'Save'), h('button', { type: 'button', on: { click: close } }, 'Cancel'))));
    name.focus();

    async function save(event) {
      event.preventDefault();
      const given = new Map();
      for (const line of tags.value.split('\n').filter(text => text.trim() !== '')) {
        const at = line.indexOf('=');
        if (at < 1) return show(said, h('p', { class: 'note bad', role: 'alert' }, `“${line}” is no tag: write it as name=value.`));
        given.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
      }
      const patch = {
        name: name.value.trim() || null,
        tags: { ...Object.fromEntries(known.filter(key => !given.has(key)).map(key => [key, null])), ...Object.fromEntries(given) },
      };
      try {
        await ask(devicePath(clientId), {
          method: 'PATCH', body: JSON.stringify(patch), signal,
          headers: { 'Content-Type': 'application/merge-patch+json', ...(before ? { 'If-Match': await fresh() } : {}) },
        });
        say('Saved');
        close();
      } catch (failed) {
        if (failed.name !== 'AbortError') show(said, problem(failed));
      }
      return undefined;
    }

    /** The version to change. A device that lives gets new ones all the time; what counts is that name and tags are as they were shown. */
    async function fresh() {
      const now = await ask(devicePath(clientId), { signal });
      const same = now.data.name === device.name && JSON.stringify(now.data.tags) === JSON.stringify(device.tags);
      return same ? now.etag : before;
    }
  }
}

const facts = list => h('dl', { class: 'facts' }, list);

function connectivityFacts({ connectivity: now, firstSeenAt, lastSeenAt }) {
  return [
    fact('Status', connectivity(now)),
    fact('Since', ago(now.since)),
    fact('Confidence', now.status === 'unknown' ? none() : sure(now.confidence)),
    fact('Evidence', EVIDENCE[now.evidence] ?? now.evidence),
    fact('Last online', ago(now.lastOnlineAt)),
    fact('Last offline', ago(now.lastOfflineAt)),
    now.lastReason ? fact('Last reason', capital(words(now.lastReason)), now.lastRawReason ? h('span', { class: 'faint' }, ' (', now.lastRawReason, ')') : null) : null,
    fact('First seen', ago(firstSeenAt)),
    fact('Last seen', ago(lastSeenAt)),
  ];
}

function activityFacts({ activity: now, counters, expectations, subscriptionCount }) {
  const expected = expectations?.messageIntervalSeconds;
  return [
    fact('Status', activity(now)),
    fact('Last message', ago(now.lastMessageAt)),
    fact('Last topic', now.lastTopic ? h('code', null, now.lastTopic) : null),
    expected ? fact('Expected', `every ${duration(expected)}`) : null,
    fact('Published', number(counters.messagesPublished)),
    fact('Delivered', number(counters.messagesDelivered)),
    fact('Dropped', number(counters.messagesDropped)),
    fact('Subscriptions', number(subscriptionCount)),
    fact('Sessions', number(counters.sessions)),
  ];
}

function sessionFacts(session) {
  const expiry = session.expirySeconds;
  return [
    fact('Node', session.node),
    fact('Address', session.ip ? h('bdi', null, session.port ? `${session.ip.includes(':') ? `[${session.ip}]` : session.ip}:${session.port}` : session.ip) : null),
    fact('Connected', ago(session.connectedAt)),
    fact('Protocol', [session.protocol, version(session.protocolVersion)].filter(Boolean).join(' ')),
    fact('Keep alive', session.keepAliveSeconds === 0 ? 'off' : duration(session.keepAliveSeconds)),
    fact('Clean start', session.cleanStart === null || session.cleanStart === undefined ? null : session.cleanStart ? 'yes' : 'no'),
    fact('Expiry', expiry === null || expiry === undefined ? null : expiry === 0 ? 'with the connection' : expiry >= 4294967295 ? 'never' : duration(expiry)),
  ];
}

const version = value => ({ 3: '3.1', 4: '3.1.1', 5: '5.0' })[value] ?? value;

/** A list that loads when it is shown, stays fresh while it shows its first page, and goes on by a button. */
function section(name, nothing, list, path, milliseconds) {
  const body = h('div', null, h('p', { class: 'faint' }, 'Loading…'));
  const more = h('div', { class: 'pager' });
  const element = h('section', { class: 'panel' }, h('h2', null, name), body, more);
  let items = [];
  let grown = false;

  function start(every, signal) {
    every(milliseconds, async () => {
      if (grown) return;
      const page = await get(path(), { limit: 10 }, signal);
      if (!grown) put(page.items, page.next, signal);
    });
  }

  function put(all, next, signal) {
    items = all;
    if (items.length === 0) show(body, h('p', { class: 'faint' }, nothing));
    else {
      if (!list.element.isConnected) show(body, list.element);
      list.fill(items);
    }
    if (more.print === next) return;
    more.print = next;
    show(more, next ? h('button', { type: 'button', on: { click: async event => {
      grown = true;
      event.target.disabled = true;
      try {
        const page = await get(path(), { limit: 50, cursor: next }, signal);
        put([...items, ...page.items], page.next, signal);
      } catch (failed) {
        if (failed.name === 'AbortError') return;
        show(more, problem(failed));
      }
    } } }, 'Show more') : null);
  }

  return { element, start };
}

function latest() {
  const element = h('div', { class: 'latest' });
  return {
    element,
    // The age grows by itself; only a new message changes the entry.
    fill: items => reconcile(element, items.map(({ ageSeconds, ...item }) => item), item => item.topic, item => h('details', null,
      h('summary', null, h('code', { class: 'topic' }, item.topic), h('span', { class: 'spread' }), glimpse(item.payload), ago(item.publishedAt)),
      payload(item.payload),
      h('p', { class: 'faint' }, `QoS ${item.qos}`, item.retain ? ', retained' : null, ' · ', h('a', { href: `#/messages/${encodeURIComponent(item.messageId)}` }, 'The message and its deliveries')))),
  };
}

function messageList() {
  const { element, body, row } = messageTable({ withDevice: false });
  return { element, fill: items => reconcile(body, items, item => item.id, item => messageLine(item, row, { withDevice: false })) };
}

function ledger() {
  const { element, body, row } = table('Sessions', [
    { name: 'Began' }, { name: 'Ended' }, { name: 'Lasted', number: true }, { name: 'Reason' }, { name: 'Known by' }, { name: 'Node' }, { name: 'Address' },
    { name: 'Messages', number: true },
  ]);
  return {
    element,
    fill: items => reconcile(body, items, item => item.id, item => row(
      item.connectedAt ? moment(item.connectedAt) : none('not reported'),
      item.endedAt ? moment(item.endedAt) : h('span', { class: 'state' }, h('span', { class: 'dot online', 'aria-hidden': 'true' }), 'lasts'),
      duration(item.durationSeconds) ?? none(),
      item.reason ? h('span', { title: item.rawReason }, words(item.reason)) : none(),
      item.endedBy ? h('span', { class: item.endedBy === 'event' ? 'soft' : 'tag warn' }, ENDED_BY[item.endedBy] ?? words(item.endedBy)) : none(),
      item.node ?? none(),
      item.ip ? h('bdi', null, item.port ? `${item.ip}:${item.port}` : item.ip) : none(),
      traffic(item.counters ?? item))),
  };
}

function traffic(counters) {
  const { messagesPublished: out, messagesDelivered: into, messagesDropped: lost } = counters;
  if (out === null || out === undefined) return none();
  return h('span', { title: `${plural(out, 'message')} published, ${number(into ?? 0)} delivered, ${number(lost ?? 0)} dropped` }, `${number(out)} ↑ ${number(into ?? 0)} ↓`);
}

function subscriptions() {
  const { element, body, row } = table('Subscriptions', [{ name: 'Filter', class: 'wide' }, { name: 'QoS', number: true }, { name: 'Since' }, { name: 'Runs out' }]);
  return {
    element,
    fill: items => reconcile(body, items, item => item.filter, item => row(
      h('code', null, item.filter), String(item.qos), ago(item.subscribedAt), item.endsAt ? ago(item.endsAt) : none('no end in sight'))),
  };
}

function journal() {
  const element = h('ol', { class: 'journal' });
  return { element, fill: items => reconcile(element, items, item => item.seq, item => journalEntry(item, { withDevice: false })) };
}

/** The last day as a line, and what it and the last week come to. */
function availability(day, week) {
  const [from, to] = [Date.parse(day.from), Date.parse(day.to)];
  return h('section', { class: 'panel' },
    h('div', { class: 'bar' }, h('h2', null, 'Availability'), h('span', { class: 'figures' }, figures('24 h', day), figures('7 d', week))),
    timeline(day.stretches, from, to, 'The last 24 hours'),
    h('div', { class: 'bar axis' }, h('span', null, ago(day.from)), h('span', null, 'now')));
}

function figures(name, one) {
  return h('span', { title: `Unknown for ${duration(one.unknownSeconds)}: that time is neither up nor down.` },
    h('span', { class: 'faint' }, `${name} `), h('b', { 'data-availability': name }, percent(one.ratio) ?? 'nothing known'),
    one.outages ? h('span', { class: 'faint' }, `, ${plural(one.outages, 'outage')}, longest ${duration(one.longestOutageSeconds)}`)
      : one.ratio === null ? null : h('span', { class: 'faint' }, ', no outage'));
}
