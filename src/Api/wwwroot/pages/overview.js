import { get } from '../lib/api.js';
import { h, reconcile, show } from '../lib/dom.js';
import { ago, bytes, compact, number, plural, rate, since } from '../lib/format.js';
import { connectivity, curve, deviceLink, empty, journalEntry, sparkline } from '../lib/parts.js';
import { follow } from '../lib/stream.js';
import { guide } from './setup.js';

const STATES = ['online', 'offline', 'unknown'];
const RECENT = 12;
const HOURS = 12;
const LOOK_BACK = 400; // entries of the journal, of which messages are most

export const title = () => 'Overview';

export function view(root, { signal, onStats, every }) {
  const fleet = h('section', { class: 'panel fleet', 'aria-label': 'The fleet' });
  const tiles = h('section', { class: 'tiles', 'aria-label': 'The service in numbers' });
  const doubts = h('ul', { class: 'list' });
  const happened = h('ol', { class: 'journal' });
  const doubtful = h('section', { class: 'panel' }, h('h2', null, 'Worth a look'), doubts);
  const recent = h('section', { class: 'panel' },
    h('div', { class: 'bar' }, h('h2', null, 'Came and went'), h('a', { href: '#/events' }, 'All events')), happened);
  const past = h('section', { class: 'panel', 'aria-label': 'Online in the last hours', hidden: true });
  const filled = h('div', { class: 'stack' }, fleet, past, tiles, h('div', { class: 'columns' }, recent, doubtful));
  const lists = [];
  let state = null;

  onStats((stats, history) => {
    const next = stats.devices.total === 0 ? 'empty' : 'filled';
    if (next !== state) {
      state = next;
      lists.forEach(refresh => refresh());
      show(root, state === 'filled' ? filled
        : [empty('No device yet.', h('p', null, 'As soon as a broker reports one, it appears here. Four things to copy, and it will:')), guide()]);
    }
    if (state === 'empty') return;
    show(fleet, presence(stats.devices));
    show(tiles, numbers(stats, history));
  });

  lists.push(every(4000, async () => {
    if (state !== 'filled') return;
    const [unsure, flapping] = await Promise.all([
      get('devices', { confidence: 'inferred,stale', sort: '-lastSeenAt', limit: 8 }, signal),
      get('devices', { flapping: 'true', sort: '-lastSeenAt', limit: 8 }, signal),
    ]);
    const all = [...flapping.items, ...unsure.items.filter(device => !flapping.items.some(other => other.clientId === device.clientId))].slice(0, 10);
    reconcile(doubts, all.length ? all : ['calm'], device => device.clientId ?? device, device => (device === 'calm'
      ? h('li', { class: 'faint' }, 'Nothing: every state is confirmed, and nobody flaps.')
      : h('li', null, deviceLink(device.clientId), h('span', { class: 'spread' }), connectivity(device.connectivity), ' ', since(device.connectivity.since))));
  }));

  // It looks at the ledger of every device, so not often.
  lists.push(every(120_000, async () => {
    if (state !== 'filled') return;
    const from = new Date(Date.now() - HOURS * 3_600_000).toISOString();
    show(past, lastHours(await get('stats/presence', { from, bucket: '5m' }, signal)));
    past.hidden = false;
  }));

  let newest = [];
  let after = null;
  lists.push(every(3000, async () => {
    if (state !== 'filled') return;
    const types = 'device.went-online,device.went-offline';
    if (after === null) after = Math.max(0, (await get('stats', {}, signal)).journal.head - LOOK_BACK);
    for (let pages = 0; pages < 5; pages++) {
      const page = await get('events', { after, types, limit: 200 }, signal);
      newest = [...page.items.toReversed(), ...newest].slice(0, RECENT);
      const done = Number(page.next) >= page.head || Number(page.next) === after;
      after = Number(page.next);
      if (done) break;
    }
    drawNewest();
    await follow({ after, types }, { signal }, (entries, position) => {
      newest = [...entries.toReversed(), ...newest].slice(0, RECENT);
      after = position;
      drawNewest();
    });
  }));

  function drawNewest() {
    reconcile(happened, newest.length ? newest : ['calm'], entry => entry.seq ?? entry, entry => (entry === 'calm'
      ? h('li', { class: 'faint' }, 'Nobody lately.') : journalEntry(entry)));
  }
}

function presence(devices) {
  const share = count => (devices.total === 0 ? 0 : count / devices.total * 100);
  return [
    h('div', { class: 'headline' },
      h('p', { class: 'big' }, h('b', { 'data-stat': 'online' }, number(devices.online)), h('span', null, ` of ${plural(devices.total, 'device')} online`)),
      devices.inferred + devices.stale > 0
        ? h('p', { class: 'doubt' }, 'for sure, but for ', [
          devices.inferred ? h('a', { href: '#/devices?confidence=inferred' }, h('b', { 'data-stat': 'inferred' }, number(devices.inferred)), ' inferred') : null,
          devices.inferred && devices.stale ? ' and ' : null,
          devices.stale ? h('a', { href: '#/devices?confidence=stale' }, h('b', { 'data-stat': 'stale' }, number(devices.stale)), ' stale') : null])
        : h('p', { class: 'faint' }, 'All of it confirmed')),
    h('div', { class: 'stackbar', 'aria-hidden': 'true' },
      STATES.map(state => h('span', { class: state, css: { 'flex-grow': String(share(devices[state])) }, hidden: devices[state] === 0 }))),
    h('ul', { class: 'legend' }, STATES.map(state =>
      h('li', null, h('a', { href: `#/devices?status=${state}` },
        h('span', { class: `dot ${state}`, 'aria-hidden': 'true' }), h('span', null, state),
        h('b', { 'data-stat': `${state}-count` }, number(devices[state])),
        h('span', { class: 'faint' }, `${Math.round(share(devices[state]))} %`))))),
  ];
}

function lastHours({ devices, from, buckets }) {
  const online = buckets.map(bucket => bucket.online);
  const left = buckets.reduce((sum, bucket) => sum + bucket.disconnects, 0);
  return [
    h('div', { class: 'bar' },
      h('h2', null, `Online in the last ${HOURS} h`),
      h('span', { class: 'faint' }, `${compact(Math.round(Math.min(...online)))} to ${compact(Math.round(Math.max(...online)))}, went offline `, h('b', { 'data-stat': 'disconnects' }, number(left)), left === 1 ? ' time' : ' times')),
    curve(online, devices, `Devices online in the last ${HOURS} hours`),
    h('div', { class: 'bar axis' }, h('span', null, ago(from)), h('span', null, 'now')),
  ];
}

function numbers(stats, history) {
  const rates = history.map(one => one.messages.perSecond);
  const pace = history.slice(1).map((one, i) => (one.journal.head - history[i].journal.head) / Math.max((one.seenAt - history[i].seenAt) / 1000, 0.5));
  const full = stats.ingest.queueDepth / Math.max(stats.ingest.queueCapacity, 1);
  return [
    tile('messages', 'Messages', [rate(stats.messages.perSecond), h('small', null, ' /s')], `${compact(stats.messages.total)} kept`, { href: '#/messages', spark: rates }),
    tile('journal', 'Journal', compact(stats.journal.head), pace.length ? `${rate(Math.max(0, pace.at(-1)))} events/s` : 'head', { href: '#/events', spark: pace }),
    tile('flapping', 'Flapping', number(stats.devices.flapping), stats.devices.flapping ? 'come and go too often' : 'nobody', { href: '#/devices?flapping=true', warn: stats.devices.flapping > 0 }),
    tile('quarantine', 'Quarantine', number(stats.quarantine.size), stats.quarantine.size ? 'refused, kept, to be looked at' : 'nothing refused', { href: '#/quarantine', warn: stats.quarantine.size > 0 }),
    tile('corrections', 'Corrected', number(stats.corrections.online + stats.corrections.offline), 'by the broker’s own list since the start', { href: '#/broker' }),
    tile('queue', 'Queue', number(stats.ingest.queueDepth), `of ${compact(stats.ingest.queueCapacity)} before senders wait`, { warn: full > 0.5 }),
    tile('sessions', 'Open sessions', compact(stats.sessions.open), plural(stats.subscriptions.current, 'subscription')),
    tile('storage', 'On disk', bytes(stats.storage.bytes), 'database'),
  ];
}

function tile(name, label, value, note, { href, spark, warn } = {}) {
  return h(href ? 'a' : 'div', { class: `tile ${warn ? 'warned' : ''}`, href, 'data-stat': name },
    h('span', { class: 'label' }, label), h('span', { class: 'value' }, value), h('span', { class: 'faint' }, note),
    spark && spark.length > 2 ? sparkline(spark, `${label} in the last minutes`) : null);
}
