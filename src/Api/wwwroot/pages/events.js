import { get } from '../lib/api.js';
import { h, reconcile, show } from '../lib/dom.js';
import { number } from '../lib/format.js';
import { empty, journalEntry } from '../lib/parts.js';
import { follow as followStream } from '../lib/stream.js';

const TAIL = 200;
const MOST = 1000;
const TYPES = [['', 'Everything'], ['device.*', 'Devices'], ['session.*,subscription.*', 'Sessions and subscriptions'], ['message.*,delivery.*', 'Messages']];

export const title = () => 'Events';

export function view(root, { query, signal, every }) {
  const types = h('select', { 'aria-label': 'Types of events', on: { change: event => { location.hash = event.target.value ? `#/events?${new URLSearchParams({ types: event.target.value })}` : '#/events'; } } },
    TYPES.map(([value, text]) => h('option', { value, selected: value === (query.types ?? '') }, text)),
    query.types && !TYPES.some(([value]) => value === query.types) ? h('option', { value: query.types, selected: true }, query.types) : null);
  const follow = h('button', { type: 'button', 'aria-pressed': 'true', on: { click: toggle } }, 'Following');
  const where = h('span', { class: 'faint', role: 'status' });
  const list = h('ol', { class: 'journal panel', 'aria-label': 'Events, newest first' });
  const earlier = h('button', { type: 'button', on: { click: loadEarlier } }, 'Earlier');
  const pager = h('div', { class: 'pager' });
  show(root, h('div', { class: 'filters' }, types, follow, where), list, pager);

  let entries = [];
  let after = null; // all up to here is shown
  let first = null; // all before here is not
  let following = true;
  let rest = new AbortController();

  const again = every(2000, async () => {
    if (!following) return;
    if (after === null) {
      const { journal } = await get('stats', {}, signal);
      after = first = Math.max(0, journal.head - TAIL);
    }
    for (let pages = 0; pages < 5; pages++) {
      const page = await get('events', { after, types: query.types, limit: 500 }, signal);
      const next = Number(page.next);
      const done = next <= after || next >= page.head;
      take(page.items, Math.max(after, next), page.head);
      if (done) break;
    }
    draw();
    rest = new AbortController();
    await followStream({ after, types: query.types }, { signal, rest: rest.signal }, (items, position) => {
      take(items, position, position);
      if (items.length) draw();
    });
  });

  function take(items, position, head) {
    entries = [...items.toReversed(), ...entries].slice(0, MOST);
    after = position;
    show(where, `up to ${number(after)}`, head > after ? ` of ${number(head)}` : null);
  }

  function draw() {
    if (entries.length === 0) show(list, h('li', null, empty(query.types ? 'None of these lately.' : 'Nothing has happened yet.', query.types ? null : h('p', null, h('a', { href: '#/setup' }, 'Point EMQX here'), '.'))));
    else reconcile(list, entries, entry => entry.seq, entry => journalEntry(entry));
    if (first > 0 && entries.length < MOST) {
      if (!earlier.isConnected) show(pager, earlier);
    } else show(pager);
  }

  async function loadEarlier() {
    earlier.disabled = true;
    try {
      const from = Math.max(0, first - TAIL);
      const page = await get('events', { after: from, types: query.types, limit: TAIL }, signal);
      entries = [...entries, ...page.items.filter(entry => entry.seq <= first).toReversed()];
      first = from;
      draw();
    } finally {
      earlier.disabled = false;
    }
  }

  function toggle() {
    following = !following;
    follow.setAttribute('aria-pressed', String(following));
    follow.textContent = following ? 'Following' : 'Follow';
    if (following) again();
    else rest.abort();
  }
}
