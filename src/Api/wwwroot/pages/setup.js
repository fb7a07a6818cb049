import { h, show } from '../lib/dom.js';
import { copyable } from '../lib/parts.js';

export const title = () => 'Connect EMQX';

const SQL = `SELECT * FROM
  "$events/client_connected", "$events/client_disconnected",
  "$events/session_subscribed", "$events/session_unsubscribed",
  "$events/message_delivered", "$events/message_acked",
  "$events/message_dropped", "$events/delivery_dropped",
  "#"`;

export const view = root => show(root, guide());

/** How to point a broker here, ready to be copied. */
export function guide() {
  const base = new URL('.', location.href);
  const url = new URL('webhook/emqx', base);
  url.hash = '';
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  const curl = [
    `curl ${url.href} \\`,
    `  -H 'X-Webhook-Token: <ingest token>' -H 'Content-Type: application/json' \\`,
    `  -d '{"event":"client.connected","clientid":"hello","node":"emqx@127.0.0.1",`,
    `       "peername":"127.0.0.1:50000","connected_at":${Date.now()}}'`,
  ].join('\n');
  return h('div', { class: 'guide' },
    h('ol', { class: 'steps' },
      h('li', null,
        h('h2', null, 'Where EMQX shall send'),
        h('p', null, 'EMQX 5.3 and later: Integration › Webhooks › Create, all events. Or by hand: a connector (Integration › Connectors › HTTP server), ',
          'an action on it and a rule. The method is POST; leave the body empty, so that all columns are sent.'),
        copyable(url.href, 'the URL'),
        local ? h('p', { class: 'hint' }, 'Seen from another machine or a container, ', h('code', null, url.hostname), ' is the broker itself: put the name or address of this machine there. The service listens on localhost only, unless it is started with ',
          h('code', null, '--urls http://*:5080'), '.') : null),
      h('li', null,
        h('h2', null, 'With this header'),
        h('p', null, 'The token named ', h('code', null, 'ingest'), ' stands in the credentials file that the console named at the first start (',
          h('code', null, 'data/credentials.json'), ' unless it was a demo), if you did not configure tokens of your own. ',
          h('code', null, 'Authorization: Bearer <ingest token>'), ' works as well.'),
        copyable('X-Webhook-Token: <ingest token>', 'the header')),
      h('li', null,
        h('h2', null, 'What it shall send'),
        h('p', null, 'Integration › Webhooks needs no SQL. By hand: the SQL of a rule (Integration › Rules) whose action is the one above. Leave out ', h('code', null, '"#"'),
          ' if you only want to know who is online; split it into a second rule if messages are many, so that presence does not queue behind them.'),
        copyable(SQL, 'the rule SQL'),
        h('p', { class: 'hint' }, 'Payloads that are no text arrive damaged, unless the rule encodes them: ',
          h('code', null, 'SELECT *, base64_encode(payload) as payload_base64 FROM …'))),
      h('li', null,
        h('h2', null, 'Or try it from here'),
        copyable(curl, 'the curl command'))),
    h('p', { class: 'hint' }, 'EMQX 4: the web hook plugin and the rule engine’s web hook resource work with the same URL and header.'));
}
