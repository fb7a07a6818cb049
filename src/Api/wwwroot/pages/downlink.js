// What goes to a device: messages, and the order to leave.
import { ask, devicePath } from '../lib/api.js';
import { h, reconcile, say, show } from '../lib/dom.js';
import { ago, words } from '../lib/format.js';
import { action, glimpse, problem, table } from '../lib/parts.js';

const BAD = new Set(['dropped', 'no-subscriber', 'refused', 'failed', 'uncertain', 'timed-out']);

/** The messages to a device with how far they got. */
export function downlinkList() {
  const { element, body, row } = table('Messages to it', [{ name: 'When' }, { name: 'Status' }, { name: 'Topic', class: 'wide' }, { name: 'Payload' }]);
  return {
    element,
    fill: items => reconcile(body, items, item => item.id, item => row(
      ago(item.acceptedAt),
      h('span', { class: BAD.has(item.status) ? 'tag warn' : 'soft', title: item.problem ?? item.dropReason }, words(item.status), item.late ? ' (late)' : null),
      h('code', null, item.topic),
      item.messageId && item.match ? h('a', { href: `#/messages/${encodeURIComponent(item.messageId)}` }, glimpse(item.payload)) : glimpse(item.payload))),
  };
}

/** A form that sends a message. Pressed again after a failure it asks for the same message, not for a second one. */
export function sender(clientId, signal) {
  const topic = h('input', { id: 'downlink-topic', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'downlink-hint' });
  const payload = h('textarea', { id: 'downlink-payload', rows: 2, spellcheck: 'false' });
  const qos = h('select', { id: 'downlink-qos' }, ['1', '0', '2'].map(value => h('option', { value }, value)));
  const button = h('button', { type: 'submit', class: 'primary' }, 'Send');
  const said = h('div');
  let last = { body: null, key: null };

  return h('details', null, h('summary', null, 'Send a message'),
    h('form', { class: 'edit', on: { submit: send } },
      h('label', { for: 'downlink-topic' }, 'Topic'), topic,
      h('p', { class: 'hint', id: 'downlink-hint' }, 'What the device subscribes to; {clientId} stands for its id. Empty: the topic that is configured.'),
      h('label', { for: 'downlink-payload' }, 'Payload'), payload,
      h('label', { for: 'downlink-qos' }, 'QoS'), qos,
      said, h('div', { class: 'actions' }, button)));

  async function send(event) {
    event.preventDefault();
    const body = JSON.stringify({ topic: topic.value || null, payload: payload.value, qos: Number(qos.value) });
    if (last.body !== body) last = { body, key: Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('') };
    button.disabled = true;
    try {
      const { data } = await ask(devicePath(clientId, '/messages'), {
        method: 'POST', body, signal, headers: { 'Content-Type': 'application/json', 'Idempotency-Key': last.key },
      });
      last = { body: null, key: null };
      show(said, h('p', { class: 'note', role: 'status' }, `The broker was told: ${words(data.status)}.`));
    } catch (failed) {
      if (failed.name !== 'AbortError') show(said, problem(failed));
    } finally {
      button.disabled = false;
    }
  }
}

/** A button that has the broker end the device's connection and session. */
export function kicker(clientId, signal, said) {
  return action('Disconnect', async () => {
    try {
      await ask(devicePath(clientId, '/connection'), { method: 'DELETE', signal });
      show(said);
      say('The broker ended its connection.');
    } catch (failed) {
      if (failed.name !== 'AbortError') show(said, problem(failed));
    }
  }, { confirm: 'Disconnect it, session and all?' });
}
