// The frame: who may look, which page is shown, and the pulse of the service at the top.
import { forgetToken, get, hasToken, onRefused } from './lib/api.js';
import { h, say, show } from './lib/dom.js';
import { compact } from './lib/format.js';
import { problem } from './lib/parts.js';
import * as broker from './pages/broker.js';
import * as device from './pages/device.js';
import * as devices from './pages/devices.js';
import * as events from './pages/events.js';
import * as handler from './pages/handler.js';
import * as handlers from './pages/handlers.js';
import * as message from './pages/message.js';
import * as messages from './pages/messages.js';
import * as overview from './pages/overview.js';
import * as quarantine from './pages/quarantine.js';
import * as setup from './pages/setup.js';
import * as signIn from './pages/sign-in.js';

const routes = [
  { path: '', page: overview, nav: 'Overview' },
  { path: 'devices', page: devices, nav: 'Devices', more: device },
  { path: 'messages', page: messages, nav: 'Messages', more: message },
  { path: 'events', page: events, nav: 'Events' },
  { path: 'handlers', page: handlers, nav: 'Handlers', more: handler },
  { path: 'quarantine', page: quarantine, nav: 'Quarantine', more: quarantine },
  { path: 'broker', page: broker, nav: 'Broker' },
  { path: 'setup', page: setup, nav: 'Connect EMQX' },
];

const STATS_EVERY = 3000;
const HISTORY = 60;

const main = document.getElementById('main');
const top = document.getElementById('top');
const pulse = document.getElementById('pulse');
const badge = h('span', { class: 'badge', hidden: true });

let leave = new AbortController();
let history = [];

const links = routes.map(route => h('a', { href: `#/${route.path}` }, route.nav, route.path === 'quarantine' ? badge : null));
show(document.getElementById('nav'), links);
document.getElementById('sign-out').addEventListener('click', () => signOut());
document.querySelector('.skip').addEventListener('click', event => {
  event.preventDefault(); // the hash belongs to the pages
  main.focus();
});
addEventListener('hashchange', open);
onRefused(() => signOut('The service does not take this token any more. Bring another one.'));
open();

function signOut(why) {
  forgetToken();
  history = [];
  open(why);
}

function open(why) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  top.hidden = !hasToken();
  if (!hasToken()) {
    document.title = 'Sign in · WebhookService';
    show(main);
    signIn.view(main, typeof why === 'string' ? why : null, open);
    return;
  }

  const { page, argument, query, nav } = read(location.hash);
  links.forEach((link, i) => (routes[i].nav === nav ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current')));
  document.querySelector('#nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  const notice = h('div');
  const body = h('div', { class: 'page' });
  const heading = h('h1', { tabindex: '-1' }, page?.title(argument) ?? 'Nothing here');
  document.title = `${heading.textContent} · WebhookService`;
  show(main, heading, notice, body);
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);

  const listeners = [];
  const context = { argument, query, signal, heading, notice, history: () => history, every, onStats: listener => listeners.push(listener) };
  if (page) page.view(body, context);
  else show(body, h('p', null, 'There is no such page. ', h('a', { href: '#/' }, 'Go to the overview'), '.'));

  if (history.length) listeners.forEach(listener => listener(history.at(-1), history));
  beat(signal, listeners);

  /** Does the work now and again and again, as long as the page is shown and seen; says so when it fails. */
  function every(milliseconds, work) {
    let wake = () => {};
    let asked = false;
    const loop = async () => {
      while (!signal.aborted) {
        asked = false;
        if (!document.hidden) {
          try {
            await work();
            if (notice.dataset.by === 'every') show(notice);
          } catch (failed) {
            if (failed.name === 'AbortError' || signal.aborted) return;
            notice.dataset.by = 'every';
            show(notice, problem(failed));
            if (failed.status >= 400 && failed.status < 500 && failed.status !== 429) return; // asking again would not help
          }
        }
        if (!asked) await new Promise(done => { wake = done; setTimeout(done, milliseconds); });
      }
    };
    loop();
    return () => {
      asked = true;
      wake();
    };
  }
}

async function beat(signal, listeners) {
  while (!signal.aborted) {
    if (!document.hidden) {
      try {
        const stats = await get('stats', {}, signal);
        history = [...history, { ...stats, seenAt: Date.now() }].slice(-HISTORY);
        pulse.className = 'pulse live';
        pulse.textContent = 'Live';
        badge.hidden = stats.quarantine.size === 0;
        badge.textContent = compact(stats.quarantine.size);
        badge.title = `${stats.quarantine.size} refused`;
        listeners.forEach(listener => listener(stats, history));
      } catch (failed) {
        if (failed.name === 'AbortError' || signal.aborted) return;
        if (pulse.className !== 'pulse lost') say('The service does not answer.');
        pulse.className = 'pulse lost';
        pulse.textContent = failed.status === 0 ? 'No answer' : `Error ${failed.status}`;
        pulse.title = failed.message;
      }
    }
    await new Promise(done => setTimeout(done, STATS_EVERY));
  }
}

function read(hash) {
  const [path, search = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [first, ...rest] = path.split('/');
  const route = routes.find(known => known.path === first);
  const query = Object.fromEntries(new URLSearchParams(search));
  if (!route) return { query };
  if (rest.length === 0 || rest[0] === '') return { page: route.page, nav: route.nav, query };
  try {
    return route.more ? { page: route.more, nav: route.nav, argument: decodeURIComponent(rest.join('/')), query } : { query };
  } catch {
    return { query }; // not percent-encoded text
  }
}
