import { get } from '../lib/api.js';
import { h, reconcile, show } from '../lib/dom.js';
import { ago, none, number, since, words } from '../lib/format.js';
import { activity, connectivity, deviceLink, empty, table } from '../lib/parts.js';

const SORTS = [
  ['-lastSeenAt', 'Seen last'], ['lastSeenAt', 'Seen longest ago'], ['clientId', 'Client id, A to Z'], ['-clientId', 'Client id, Z to A'],
  ['-connectedAt', 'Connected last'], ['connectedAt', 'Connected longest ago'], ['-firstSeenAt', 'New first'], ['name', 'Name'], ['username', 'Username'],
];
const DEFAULT_SORT = '-lastSeenAt';
const FILTERS = ['search', 'status', 'confidence', 'activity', 'flapping', 'node', 'reason', 'sort', 'cursor'];

// The way that led to a page, so that "newer" leads back; a page opened by its address alone only knows the first.
let trail = [];

// A new filter shows the page anew; the control that was used keeps the focus.
let used = null;

export const title = () => 'Devices';

export function view(root, { query, signal, every }) {
  const sort = query.sort ?? DEFAULT_SORT;
  if (!query.cursor) trail = [];

  const search = h('input', {
    id: 'search', 'data-control': 'search', type: 'search', value: query.search ?? '', placeholder: 'Id, name or user; or prefix*', autocomplete: 'off', spellcheck: 'false',
    'aria-label': 'Find devices: a part of id, name or user, or the beginning of an id followed by *',
  });
  let typing;
  search.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => signal.aborted || go({}), 350);
  });
  const sorting = h('select', { 'aria-label': 'Order', 'data-control': 'sort', on: { change: event => go({ sort: event.target.value }) } },
    SORTS.map(([value, text]) => h('option', { value, selected: value === sort }, text)));
  const moving = h('select', { 'aria-label': 'Activity', 'data-control': 'activity', on: { change: event => go({ activity: event.target.value }) } },
    [['', 'Any activity'], ['active', 'Active'], ['silent', 'Silent'], ['never', 'Never sent']]
      .map(([value, text]) => h('option', { value, selected: value === (query.activity ?? '') }, text)));

  const count = h('p', { class: 'faint count', role: 'status' });
  const { element, body, row } = table('Devices', [
    column('Client id', 'clientId'), { name: 'Connectivity' }, { name: 'Activity' }, column('Last seen', 'lastSeenAt', true),
    { name: 'Node' }, { name: 'IP' }, { name: 'Last reason' }, { name: 'Subscriptions', number: true },
  ], 'devices');
  const pager = h('nav', { class: 'pager', 'aria-label': 'More devices' });
  const list = h('div', null);

  show(root,
    h('form', { class: 'filters', role: 'search', on: { submit: event => { event.preventDefault(); go({}); } } },
      search,
      chips('status', ['online', 'offline', 'unknown']),
      chips('confidence', ['confirmed', 'inferred', 'stale']),
      h('button', { type: 'button', class: 'chip', 'data-control': 'flapping', 'aria-pressed': String(query.flapping === 'true'), on: { click: () => go({ flapping: query.flapping === 'true' ? '' : 'true' }) } }, 'flapping'),
      moving, sorting),
    active(), count, list, pager);
  if (used) root.querySelector(`[data-control="${used}"]`)?.focus();
  if (used === 'search') search.setSelectionRange(search.value.length, search.value.length);
  used = null;

  let counted = false;
  every(5000, async () => {
    const page = await get('devices', { ...filters(), sort, limit: 50, cursor: query.cursor, count: counted ? '' : 'exact' }, signal);
    if (!counted) show(count, `${number(page.count ?? page.items.length)} ${page.count === 1 ? 'device' : 'devices'}`);
    counted = true;
    if (page.items.length === 0) {
      show(list, isFiltered()
        ? empty('No device passes these filters.', h('p', null, h('a', { href: '#/devices' }, 'Show all devices')))
        : empty('No device yet.', h('p', null, h('a', { href: '#/setup' }, 'Point EMQX here'), ', and every client it reports appears in this list.')));
    } else {
      if (!element.isConnected) show(list, element);
      reconcile(body, page.items, device => device.clientId, device => line(device, row));
    }
    const newer = query.cursor && (trail.length ? link('← Newer', { cursor: trail.at(-1) }, () => trail.pop()) : link('← First page', { cursor: '' }));
    const older = page.next && link('Older →', { cursor: page.next }, () => trail.push(query.cursor ?? ''));
    if (pager.print !== `${page.next}|${query.cursor}`) show(pager, newer || h('span'), older || null);
    pager.print = `${page.next}|${query.cursor}`;
  });

  function filters() {
    const { search: text = '', status, confidence, activity: moves, flapping, node, reason } = query;
    // A trailing * asks for a beginning; inside an id it is itself.
    const words = text.endsWith('*') ? { clientId: text } : { q: text };
    return { ...words, status, confidence, activity: moves, flapping, node, reason };
  }

  function isFiltered() {
    return FILTERS.some(name => name !== 'sort' && query[name]);
  }

  function address(change) {
    const next = { ...query, cursor: '', ...change };
    if (next.sort === DEFAULT_SORT) delete next.sort;
    const given = FILTERS.filter(name => next[name]).map(name => [name, next[name]]);
    return `#/devices${given.length ? `?${new URLSearchParams(given)}` : ''}`;
  }

  function go(change) {
    clearTimeout(typing);
    const next = address({ search: search.value, ...change }); // what was typed a moment ago counts, too
    if (next === (location.hash || '#/devices')) return;
    used = document.activeElement?.dataset.control ?? null;
    location.replace(next);
  }

  function link(text, change, before) {
    return h('a', { class: 'button', href: address(change), on: { click: before } }, text);
  }

  function chips(name, values) {
    const chosen = (query[name] ?? '').split(',').filter(Boolean);
    return h('div', { class: 'chips', role: 'group', 'aria-label': name }, values.map(value => {
      const on = chosen.includes(value);
      const next = on ? chosen.filter(other => other !== value) : [...chosen, value];
      return h('button', { type: 'button', class: 'chip', 'data-control': `${name}-${value}`, 'aria-pressed': String(on), on: { click: () => go({ [name]: next.join(',') }) } },
        name === 'status' ? h('span', { class: `dot ${value}`, 'aria-hidden': 'true' }) : null, value);
    }));
  }

  /** Filters that have no control of their own; they come by links. */
  function active() {
    return ['node', 'reason'].filter(name => query[name]).map(name => h('p', { class: 'active-filter' },
      `${name === 'node' ? 'On node' : 'Gone for'} `, h('b', null, words(query[name])), ' ',
      h('button', { type: 'button', class: 'quiet', on: { click: () => go({ [name]: '' }) } }, 'Remove')));
  }

  function column(name, key, downFirst = false) {
    const up = sort === key;
    const down = sort === `-${key}`;
    const next = downFirst ? (down ? key : `-${key}`) : (up ? `-${key}` : key);
    return {
      name,
      sorted: up ? 'ascending' : down ? 'descending' : 'none',
      head: h('button', { type: 'button', class: 'sort', 'data-control': `sort-${key}`, on: { click: () => go({ sort: next }) } }, name, h('span', { 'aria-hidden': 'true' }, up ? ' ↑' : down ? ' ↓' : '')),
    };
  }
}

function line(device, row) {
  const { connectivity: now, session } = device;
  const reason = now.lastReason && now.status !== 'online' ? words(now.lastReason) : null;
  return row(
    [deviceLink(device.clientId), device.name ? h('span', { class: 'under' }, device.name) : null],
    [connectivity(now), ' ', h('span', { class: 'faint' }, now.since ? since(now.since) : null)],
    activity(device.activity),
    ago(device.lastSeenAt),
    session?.node ? h('span', { class: 'soft' }, session.node) : none(),
    session?.ip ? h('span', { class: 'soft' }, session.ip) : none(),
    reason ? h('span', { title: now.lastRawReason }, reason) : none(),
    device.subscriptionCount === 0 ? none('0') : number(device.subscriptionCount));
}
