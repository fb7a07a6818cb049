import { ask, get } from '../lib/api.js';
import { h, reconcile, say, show } from '../lib/dom.js';
import { ago, duration, number, plural } from '../lib/format.js';
import { action, deviceLink, fact, problem } from '../lib/parts.js';
import { state } from './handlers.js';

export const title = name => name;

export function view(root, { argument, signal, every }) {
  const path = `handlers/${encodeURIComponent(argument)}`;
  const said = h('div', { role: 'status' });
  const facts = h('dl', { class: 'facts' });
  const list = h('ul', { class: 'kept' });
  const [letters, more, levers, how] = [h('div'), h('div', { class: 'pager' }), h('div', { class: 'actions' }), h('h2')];
  const from = h('input', { id: 'from', required: true, autocomplete: 'off', spellcheck: 'false', placeholder: '4711 or 2026-03-01T12:00:00Z' });
  let limit = 50;

  const act = work => async () => {
    try {
      const text = await work();
      show(said, h('p', { class: 'note good' }, text));
      say(text);
      refresh();
    } catch (failed) {
      if (failed.name !== 'AbortError') show(said, problem(failed));
    }
  };
  const post = async (rest, options) => (await ask(`${path}/${rest}`, { method: 'POST', signal, ...options })).data;
  const pause = action('Pause', act(async () => { await post('pause'); return 'It is paused. What is under way ends.'; }));
  const resume = action('Resume', act(async () => { await post('resume'); return 'It goes on.'; }));
  const endReplay = action('End the replay', act(async () => {
    await ask(`${path}/replay`, { method: 'DELETE', signal });
    return 'The replay has ended; it goes on where it was before.';
  }));
  const replay = action('Replay', async () => {
    if (from.reportValidity()) await act(async () => {
      const now = await post('replay', { body: JSON.stringify({ from: from.value.trim() }), headers: { 'Content-Type': 'application/json' } });
      return `It goes on behind ${number(now.position)}.`;
    })();
  }, { confirm: 'Handle again from there?' });
  const form = h('section', { class: 'panel' },
    h('h2', null, 'Replay'),
    h('p', { class: 'soft' }, 'Handles events again, under their old keys. A number or a time ahead leaves out what lies between.'),
    h('form', { class: 'filters', on: { submit: event => { event.preventDefault(); replay.click(); } } },
      h('label', { for: 'from' }, 'From a sequence number or a time'), from, replay));

  show(root, said, h('div', { class: 'stack' },
    h('section', { class: 'panel' }, h('div', { class: 'bar' }, how, levers), facts),
    form,
    h('section', null, h('h2', null, 'Dead letters'), letters, more)));

  const refresh = every(3000, async () => {
    const [one, dead] = await Promise.all([get(path, {}, signal), get(`${path}/dead-letters`, { limit }, signal)]);
    show(how, state(one));
    show(facts,
      fact('Wants', h('code', null, one.wants)),
      fact('Comes from', one.origin ?? 'the service itself'),
      fact('Position', one.position === null ? 'it never ran' : `${number(one.position)} of ${number(one.head)}`),
      fact('Lag', one.lag === null ? null : plural(one.lag, 'event')),
      fact('Replay', one.replayingUntil === null ? null : `up to ${number(one.replayingUntil)}`),
      fact('Parked', one.parked ? `${plural(one.parked, 'event')} that failed, or wait behind one of the same client` : '0'),
      fact('Handled', number(one.handled)),
      fact('Missed', one.missed ? `${plural(one.missed, 'event')} that retention had removed` : '0'),
      fact('Last error', one.lastError ? [one.lastError, ' ', h('span', { class: 'faint' }, ago(one.lastErrorAt))] : null),
      one.options ? fact('Tries', `${one.options.attempts}, each at most ${duration(one.options.timeoutSeconds)}; ${one.options.lanes} at a time`) : null);
    const fit = one.enabled ? [one.paused ? resume : pause, one.replayingUntil === null ? null : endReplay].filter(lever => lever) : [];
    if (fit.length !== levers.children.length || fit.some((lever, i) => lever !== levers.children[i])) show(levers, fit); // else left alone: one may have the focus
    form.hidden = !one.enabled;
    if (dead.items.length) {
      if (!list.isConnected) show(letters, list);
      reconcile(list, dead.items.map(letter => ({ ...letter, enabled: one.enabled })), letter => letter.id, entry);
    } else show(letters, h('p', { class: 'faint' }, 'None: nothing was given up.'));
    show(more, dead.next && limit < 1000 ? h('button', { type: 'button', on: { click: () => { limit = Math.min(limit * 2, 1000); refresh(); } } }, 'Show more') : null);
  });

  function entry(letter) {
    const { event } = letter;
    const redeliver = act(async () => { await post(`dead-letters/${letter.id}/redeliver`); return `Event ${event.seq} is tried again.`; });
    const discard = act(async () => {
      await ask(`${path}/dead-letters/${letter.id}`, { method: 'DELETE', signal });
      return `The dead letter of event ${event.seq} was deleted.`;
    });
    return h('li', { class: 'panel' },
      h('div', { class: 'bar' },
        h('p', null, h('code', null, event.type), ' ', event.clientId === null ? null : deviceLink(event.clientId), ' ', ago(letter.failedAt)),
        h('div', { class: 'actions' }, letter.enabled ? action('Redeliver', redeliver) : null, action('Delete', discard, { confirm: 'Delete for good?', kind: 'danger' }))),
      h('p', { class: 'reason' }, letter.reason),
      h('p', { class: 'faint' }, `Event ${event.seq}, tried ${plural(letter.attempts, 'time')}, happened `, ago(event.at)),
      h('details', null, h('summary', null, 'All of it'), h('pre', { tabindex: '0' }, letter.detail)));
  }
}
