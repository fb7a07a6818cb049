import { get } from '../lib/api.js';
import { h, show } from '../lib/dom.js';
import { none, number } from '../lib/format.js';
import { empty, table } from '../lib/parts.js';

export const title = () => 'Handlers';

/** Form and word tell how a handler is, for the list and for its own page. */
export function state(one) {
  if (!one.enabled) return h('span', { class: 'tag', title: `The configuration switches it on: Handlers:${one.name}:Enabled` }, 'off');
  if (one.paused) return h('span', { class: 'tag warn', title: 'It begins nothing more until it is resumed.' }, 'paused');
  if (one.replayingUntil !== null) return h('span', { class: 'tag', title: `Events up to ${one.replayingUntil} are handled again.` }, 'replaying');
  return 'running';
}

export function view(root, { signal, every }) {
  const all = table('Handlers', [
    { name: 'Handler' }, { name: 'Wants' }, { name: 'State' }, { name: 'Lag', number: true }, { name: 'Parked', number: true }, { name: 'Dead letters', number: true },
    { name: 'Handled', number: true }, { name: 'Last error' }]);
  const place = h('section', { class: 'panel' });
  show(root, h('p', { class: 'lead soft' }, 'Your code that follows the journal: how far each handler is, and what it could not do.'), place);

  every(3000, async () => {
    const { items } = await get('handlers', {}, signal);
    show(all.body, items.map(one => all.row(
      [h('a', { href: `#/handlers/${encodeURIComponent(one.name)}` }, one.name), one.origin ? [' ', h('span', { class: 'faint' }, one.origin)] : null],
      h('code', null, one.wants), state(one), one.lag === null ? none() : number(one.lag), number(one.parked),
      one.deadLetters ? h('strong', null, number(one.deadLetters)) : '0', number(one.handled), one.lastError ?? none())));
    show(place, items.length ? all.element : empty('There is no handler.', h('p', null, 'docs/handlers.md shows how to add one: a class, here or in a plug-in.')));
  });
}
