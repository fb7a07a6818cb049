import { signIn } from '../lib/api.js';
import { h, show } from '../lib/dom.js';

export function view(root, why, done) {
  const said = h('div', { role: 'alert' }, why ? h('p', { class: 'note bad' }, why) : null);
  const input = h('input', {
    id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true, 'aria-describedby': 'token-hint',
  });
  const button = h('button', { type: 'submit', class: 'primary' }, 'Open the dashboard');
  const form = h('form', { class: 'sign-in', on: { submit } },
    h('img', { src: 'icon.svg', alt: '', width: 44, height: 44 }),
    h('h1', null, 'WebhookService'),
    h('p', { class: 'lead' }, 'Who is online, and how we know.'),
    h('label', { for: 'token' }, 'Token with the scope “read”'),
    input, said, button,
    h('div', { id: 'token-hint', class: 'hint' },
      h('p', null, 'On its first start the service shows its tokens on its console, which also names the file that keeps them (',
        h('code', null, 'data/credentials.json'), ' unless it runs as a demo): take the one named ', h('code', null, 'read'), ', or ', h('code', null, 'manage'),
        ' to name devices and retry refused bodies, too.'),
      h('p', null, 'It stays in this tab and is forgotten when you close it.')));
  show(root, form);
  input.focus();

  async function submit(event) {
    event.preventDefault();
    const token = input.value.trim();
    if (token === '') return;
    button.disabled = true;
    show(said);
    try {
      if (!/^[\x21-\x7e]+$/.test(token)) throw { status: 401 }; // no token of ours, and no header could carry it
      await signIn(token);
      done();
    } catch (failed) {
      show(said, h('p', { class: 'note bad' }, reason(failed)));
      input.select();
      button.disabled = false;
    }
  }
}

function reason(failed) {
  switch (failed.status) {
    case 401: return 'The service does not know this token. Copy it whole, without quotes, from the “token” beside “read”.';
    case 403: return 'The service knows this token, but it may not read: it lacks the scope “read”. An ingest token cannot open the dashboard.';
    default: return [failed.message, failed.hint].filter(Boolean).join(' ');
  }
}
