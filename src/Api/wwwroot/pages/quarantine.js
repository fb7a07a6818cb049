import { ask, get } from '../lib/api.js';
import { h, reconcile, say, show } from '../lib/dom.js';
import { ago, bytes, plural } from '../lib/format.js';
import { action, empty, payload, problem } from '../lib/parts.js';

export const title = () => 'Quarantine';

/** With an id in the address, that entry is shown first and open. */
export function view(root, { argument, signal, every }) {
  const list = h('ul', { class: 'kept' });
  const said = h('div', { role: 'status' });
  const place = h('div');
  const more = h('div', { class: 'pager' });
  const results = new Map(); // what the last try said, by id: an entry is drawn anew when it was tried
  const chosen = h('div');
  let limit = 50;
  show(root, h('p', { class: 'lead soft' }, 'What came in and could not be understood. Nothing of it is lost: mend the cause, then try it again.'), said, chosen, place, more);
  if (argument) choose();

  const refresh = every(5000, async () => {
    const page = await get('quarantine', { limit }, signal);
    if (page.items.length === 0) {
      show(place, empty('Nothing was refused.', h('p', null, 'A body that the service cannot read is kept here with its bytes and the reason.')));
    } else {
      if (!list.isConnected) show(place, list);
      reconcile(list, page.items.filter(item => String(item.id) !== argument), item => item.id, entry);
    }
    show(more, page.next && limit < 1000 ? h('button', { type: 'button', on: { click: () => { limit = Math.min(limit * 2, 1000); refresh(); } } }, 'Show more') : null);
  });

  async function choose() {
    try {
      const { body, ...item } = await get(`quarantine/${encodeURIComponent(argument)}`, {}, signal);
      const shown = entry(item);
      show(chosen, h('h2', null, `No. ${item.id}`), h('ul', { class: 'kept' }, shown), h('h2', null, 'The others'));
      shown.querySelector('details').open = true;
    } catch (failed) {
      if (failed.name !== 'AbortError') show(chosen, problem(failed));
    }
  }

  function entry(item) {
    const content = h('div', null, h('p', { class: 'faint' }, 'Loading…'));
    const result = results.get(item.id) ?? h('div');
    results.set(item.id, result);
    let loaded = false;
    const seen = h('details', { on: { toggle: load } }, h('summary', null, `Its ${bytes(item.bytes)}`, item.truncated ? ', the beginning of more' : null), content);

    async function load() {
      if (loaded || !seen.open) return;
      loaded = true;
      try {
        const { body } = await get(`quarantine/${item.id}`, {}, signal);
        show(content, payload({ ...body, bytes: item.bytes }));
      } catch (failed) {
        loaded = false;
        if (failed.name !== 'AbortError') show(content, problem(failed));
      }
    }

    const attempt = work => async () => {
      try {
        show(result);
        const text = await work();
        show(said, h('p', { class: 'note good' }, text));
        say(text);
        if (String(item.id) === argument) show(chosen);
        refresh();
      } catch (failed) {
        if (failed.name === 'AbortError') return;
        show(result, problem(failed));
      }
    };
    const retry = attempt(async () => {
      const { data } = await ask(`quarantine/${item.id}/retry`, { method: 'POST', signal });
      return `No. ${item.id} was taken in: ${plural(data.accepted, 'event')} accepted, ${data.duplicates} known already, ${data.ignored} ignored.`;
    });
    const discard = attempt(async () => {
      await ask(`quarantine/${item.id}`, { method: 'DELETE', signal });
      return `No. ${item.id} was deleted.`;
    });

    return h('li', { class: 'panel' },
      h('div', { class: 'bar' },
        h('p', null, h('span', { class: 'tag warn' }, item.code), ' ', h('b', null, item.source), ' ', ago(item.receivedAt)),
        h('div', { class: 'actions' }, action('Try again', retry), action('Delete', discard, { confirm: 'Delete for good?', kind: 'danger' }))),
      h('p', { class: 'reason' }, item.reason, item.parameter ? [' (', h('code', null, item.parameter), ')'] : null),
      h('p', { class: 'faint' }, `No. ${item.id}`, item.contentType ? ` · ${item.contentType}` : ' · no content type',
        item.attempts ? [` · tried again ${plural(item.attempts, 'time')}, last `, ago(item.lastAttemptAt)] : null),
      seen, result);
  }
}
