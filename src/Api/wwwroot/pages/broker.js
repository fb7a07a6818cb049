import { ask, get } from '../lib/api.js';
import { h, say, show } from '../lib/dom.js';
import { ago, none, number, plural, words } from '../lib/format.js';
import { action, empty, fact, problem, table } from '../lib/parts.js';

export const title = () => 'Broker';

const dialects = {
  'connected-at': 'Its ends name their connection: presence is exact.',
  peername: 'Its ends name the address of their connection: nearly always exact.',
  'node-and-time': 'Its ends name only node and time: doubt remains until the broker is asked.',
  arrival: 'Its ends name nothing: the order of arrival decides, with doubt.',
};

export function view(root, { signal, every }) {
  const said = h('div', { role: 'status' });
  const brokers = h('div', { class: 'stack' });
  const nodes = table('Nodes', [{ name: 'Node' }, { name: 'Dialect' }, { name: 'Heard' }, { name: 'Version' }, { name: 'Running' }, { name: 'Connections', number: true }]);
  const sweeps = table('Comparisons', [
    { name: 'Started' }, { name: 'Broker' }, { name: 'Why' }, { name: 'Result' }, { name: 'Listed', number: true }, { name: 'New', number: true },
    { name: 'Corrected', number: true }, { name: 'Asked singly', number: true }, { name: 'Held', number: true }]);
  const [nodePlace, sweepPlace] = [h('div'), h('div')];
  show(root,
    h('p', { class: 'lead soft' }, 'What the brokers behind the reports say themselves, and how often they had to put the reports right.'),
    said,
    h('div', { class: 'stack' }, brokers,
      h('section', { class: 'panel' }, h('h2', null, 'Nodes'), nodePlace),
      h('section', { class: 'panel' }, h('h2', null, 'Comparisons with the client list'), sweepPlace)));

  const refresh = every(3000, async () => {
    const [known, past] = await Promise.all([get('broker', {}, signal), get('broker/reconciliations', { limit: 25 }, signal)]);
    show(brokers, known.brokers.length ? known.brokers.map(broker)
      : empty('No broker can be asked.', h('p', null, 'Give the service a place to ask (', h('code', null, 'Brokers:0:Url'),
        ' with an API key), and what lost reports left wrong is found and mended.')));
    show(nodes.body, known.nodes.map(node => nodes.row(
      node.node ? h('bdi', null, node.node) : h('span', { class: 'faint' }, 'says no name'),
      node.dialect ? h('span', { title: dialects[node.dialect] }, words(node.dialect)) : none(),
      node.heardAt ? ago(node.heardAt) : none(), node.version ?? none(),
      node.running === null ? none() : node.running ? 'yes' : h('strong', null, 'no'),
      node.connections === null ? none() : number(node.connections))));
    show(nodePlace, known.nodes.length ? nodes.element : h('p', { class: 'faint' }, 'No node has reported the end of a connection yet.'));
    show(sweeps.body, past.items.map(sweep => sweeps.row(
      ago(sweep.startedAt), sweep.broker, words(sweep.cause),
      h('span', { class: `tag ${['complete', 'running'].includes(sweep.result) ? '' : 'warn'}`, title: sweep.problem ?? null }, sweep.result),
      number(sweep.scanned), number(sweep.discovered), number(sweep.correctedOnline + sweep.correctedOffline), number(sweep.verified), number(sweep.held))));
    show(sweepPlace, past.items.length ? sweeps.element : h('p', { class: 'faint' }, 'None yet.'));
  });

  function broker(one) {
    const last = one.lastReconciliation;
    const compare = async () => {
      try {
        const { data } = await ask('broker/reconciliations', { method: 'POST', body: JSON.stringify({ broker: one.name }), headers: { 'Content-Type': 'application/json' }, signal });
        say(`Comparison ${data.id} was asked for.`);
        refresh();
      } catch (failed) {
        if (failed.name !== 'AbortError') show(said, problem(failed));
      }
    };
    return h('section', { class: 'panel', 'aria-label': one.name },
      h('div', { class: 'bar' },
        h('h2', null, one.name, ' ', one.holding ? h('span', { class: 'tag warn', title: 'Too many devices were missing to believe it at once; a second comparison follows.' }, 'holding') : null),
        h('div', { class: 'actions' }, action('Compare now', compare))),
      one.problem ? h('p', { class: 'note bad' }, one.problem) : null,
      h('dl', { class: 'facts' },
        fact('State', one.reachable === null ? 'not asked yet' : one.reachable ? 'answers' : 'cannot be asked'),
        fact('Version', one.version),
        fact('Last complete list', one.listedAt ? ago(one.listedAt) : null),
        fact('Last comparison', last ? [words(last.result), ', ', plural(last.correctedOnline + last.correctedOffline, 'correction')] : null),
        fact('Next comparison', one.running ? 'under way' : one.nextReconciliationAt ? ago(one.nextReconciliationAt) : null),
        fact('Clock', one.clockOffsetSeconds === null ? null : Math.abs(one.clockOffsetSeconds) < 2 ? 'agrees' : `${one.clockOffsetSeconds.toFixed(0)} s ahead of ours`),
        fact('Webhooks it lost', one.lostWebhooks === null ? null : number(one.lostWebhooks))));
  }
}
