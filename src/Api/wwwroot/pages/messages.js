import { get } from '../lib/api.js';
import { h, reconcile, show } from '../lib/dom.js';
import { moment } from '../lib/format.js';
import { deviceLink, empty, glimpse, table } from '../lib/parts.js';

const FILTERS = ['topic', 'clientId', 'qos', 'cursor'];

let trail = [];
let used = null;

export const title = () => 'Messages';

export function view(root, { query, signal, every }) {
  if (!query.cursor) trail = [];
  const topic = h('input', { type: 'search', value: query.topic ?? '', placeholder: 'Topic filter, such as plant/+/temperature or fleet/#', 'aria-label': 'MQTT topic filter', 'data-control': 'topic', autocomplete: 'off', spellcheck: 'false' });
  const client = h('input', { type: 'search', value: query.clientId ?? '', placeholder: 'Published by client id', 'aria-label': 'Published by client id', 'data-control': 'client', autocomplete: 'off', spellcheck: 'false' });
  const qos = h('select', { 'aria-label': 'QoS', 'data-control': 'qos', on: { change: go } },
    [['', 'Any QoS'], ['0', 'QoS 0'], ['1', 'QoS 1'], ['2', 'QoS 2']].map(([value, text]) => h('option', { value, selected: value === (query.qos ?? '') }, text)));
  const list = h('div');
  const pager = h('nav', { class: 'pager', 'aria-label': 'More messages' });
  const { element, body, row } = messageTable({ withDevice: true });

  show(root,
    h('form', { class: 'filters', role: 'search', on: { submit: event => { event.preventDefault(); go(); } } },
      topic, client, qos, h('button', { type: 'submit', 'data-control': 'go' }, 'Filter')),
    list, pager);
  if (used) root.querySelector(`[data-control="${used}"]`)?.focus();
  used = null;

  every(4000, async () => {
    const page = await get('messages', { topic: query.topic, clientId: query.clientId, qos: query.qos, cursor: query.cursor, limit: 50 }, signal);
    if (page.items.length === 0 && !page.next) {
      show(list, query.topic || query.clientId || query.qos
        ? empty('No message passes this filter.', h('p', null, h('code', null, '+'), ' stands for one level of a topic, ', h('code', null, '#'), ' at the end for all below. ', h('a', { href: '#/messages' }, 'Show all messages')))
        : empty('No message yet.', h('p', null, 'Messages come with ', h('code', null, '"#"'), ' in the rule’s FROM: see ', h('a', { href: '#/setup' }, 'Connect EMQX'), '.')));
    } else {
      if (!element.isConnected) show(list, element);
      reconcile(body, page.items, item => item.id, item => messageLine(item, row, { withDevice: true }));
    }
    const print = `${query.cursor}|${page.next}`;
    if (pager.print === print) return;
    pager.print = print;
    show(pager,
      query.cursor ? h('a', { class: 'button', href: address({ ...query, cursor: trail.at(-1) ?? '' }), on: { click: () => trail.pop() } }, trail.length ? '← Newer' : '← First page') : h('span'),
      page.next ? h('a', { class: 'button', href: address({ ...query, cursor: page.next }), on: { click: () => trail.push(query.cursor ?? '') } }, 'Older →') : null);
  });

  function go() {
    used = document.activeElement?.dataset.control ?? null;
    location.hash = address({ topic: topic.value.trim(), clientId: client.value, qos: qos.value });
  }
}

function address(query) {
  const given = FILTERS.filter(name => query[name]).map(name => [name, query[name]]);
  return `#/messages${given.length ? `?${new URLSearchParams(given)}` : ''}`;
}

export function messageTable({ withDevice }) {
  return table('Messages', [
    { name: 'Published' }, ...(withDevice ? [{ name: 'Client id' }] : []), { name: 'Topic', class: 'wide' }, { name: 'Payload', class: 'wide' }, { name: 'QoS', number: true }, { name: 'Status' },
  ], 'messages');
}

export function messageLine(item, row, { withDevice }) {
  return row(
    moment(item.publishedAt),
    ...(withDevice ? [deviceLink(item.clientId)] : []),
    h('a', { href: `#/messages/${encodeURIComponent(item.id)}` }, h('code', { class: 'topic' }, item.topic)),
    glimpse(item.payload),
    [String(item.qos), item.retain ? h('span', { class: 'faint', title: 'retained' }, ' R') : null],
    status(item.status));
}

export const status = word => h('span', { class: `tag ${word === 'dropped' ? 'warn' : ''}` }, word);
