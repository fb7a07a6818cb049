import { get } from '../lib/api.js';
import { h, show } from '../lib/dom.js';
import { moment, none, number, words } from '../lib/format.js';
import { deviceLink, empty, fact, payload, table } from '../lib/parts.js';
import { status } from './messages.js';

export const title = () => 'Message';

export function view(root, { argument: id, signal, every }) {
  let print = null;
  every(5000, async () => {
    const message = await get(`messages/${encodeURIComponent(id)}`, {}, signal).catch(failed => {
      if (failed.status === 404) return null;
      throw failed;
    });
    if (print === JSON.stringify(message)) return;
    print = JSON.stringify(message);
    show(root, message ? page(message)
      : empty('This message is not kept any more, or never came.', h('p', null, h('a', { href: '#/messages' }, 'Look through the messages'))));
  });
}

function page(message) {
  return h('div', { class: 'stack' },
    h('p', { class: 'lead' }, h('code', { class: 'topic' }, message.topic)),
    h('div', { class: 'columns' },
      h('section', { class: 'panel' }, h('h2', null, 'Payload'), payload(message.payload)),
      h('section', { class: 'panel' }, h('h2', null, 'About it'), h('dl', { class: 'facts' },
        fact('Published by', deviceLink(message.clientId)),
        message.username ? fact('Username', message.username) : null,
        fact('Published', moment(message.publishedAt)),
        fact('Received', moment(message.receivedAt)),
        fact('QoS', String(message.qos)),
        fact('Retained', message.retain ? 'yes' : 'no'),
        fact('Status', status(message.status)),
        message.droppedAt ? fact('Dropped', moment(message.droppedAt), ' ', words(message.dropReason)) : null,
        message.properties && Object.keys(message.properties).length ? fact('Properties', h('pre', { tabindex: '0' }, JSON.stringify(message.properties, null, 2))) : null,
        fact('Id', h('code', { class: 'topic' }, message.id))))),
    deliveries(message));
}

function deliveries(message) {
  const list = message.deliveries ?? [];
  const { element, body, row } = table('Deliveries', [{ name: 'To' }, { name: 'Delivered' }, { name: 'Acknowledged' }, { name: 'Dropped' }, { name: 'Why' }]);
  body.append(...list.map(one => row(
    deviceLink(one.clientId), moment(one.deliveredAt), moment(one.ackedAt), moment(one.droppedAt), one.dropReason ? words(one.dropReason) : none())));
  return h('section', { class: 'panel' }, h('h2', null, 'Deliveries'),
    list.length ? element : h('p', { class: 'faint' }, message.droppedAt ? 'The broker dropped it for everybody.' : 'Nobody is known to have been given it.'),
    message.deliveryCount > list.length ? h('p', { class: 'faint' }, `${number(list.length)} of ${number(message.deliveryCount)} are shown.`) : null);
}
