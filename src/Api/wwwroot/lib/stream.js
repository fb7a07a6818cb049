// Follows the journal's live stream. EventSource cannot send the token in a header, so it is read with fetch.
import { open, Refusal } from './api.js';

const FIRST = 5_000; // a proxy that holds back the beginning holds back all
const SILENCE = 45_000; // three heartbeats
const PAUSE = 60_000;

let usable = 0; // not before then

/**
 * Hands over what happens after a sequence number as it happens: `on(entries, position)`. Returns when the stream ends or none can be had, on
 * `rest`, and when nobody looks, since a browser allows a host few connections. Then ask by pages, and call again.
 */
export async function follow({ after, ...query }, { signal, rest = signal }, on) {
  if (document.hidden || Date.now() < usable) return;
  const leave = new AbortController();
  const hide = () => document.hidden && leave.abort();
  const giveUp = () => { usable = Date.now() + PAUSE; leave.abort(); };
  document.addEventListener('visibilitychange', hide);
  let timer = setTimeout(giveUp, FIRST);
  try {
    const body = await open('events/stream', { ...query, after }, AbortSignal.any([signal, rest, leave.signal]));
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ''; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => leave.abort(), SILENCE);
      const parts = (text + value).split('\n\n');
      text = parts.pop();
      const told = parts.map(read);
      const last = told.findLast(one => one.id);
      if (last) on(told.filter(one => one.data && one.event !== 'reset').map(one => JSON.parse(one.data)), Number(last.id));
    }
  } catch (failed) {
    if (signal.aborted) throw failed;
    if (failed instanceof Refusal) usable = Date.now() + PAUSE;
  } finally {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', hide);
    leave.abort();
  }
}

const read = part => Object.fromEntries(part.split('\n').map(line => line.split(/: (.*)/s)));
