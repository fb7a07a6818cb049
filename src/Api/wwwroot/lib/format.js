// Numbers, times and words as people read them.
import { h } from './dom.js';

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export const number = value => whole.format(value);
export const compact = value => (Math.abs(value) < 100_000 ? whole.format(value) : short.format(value));
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function rate(value) {
  if (value === 0) return '0';
  return value < 10 ? value.toFixed(value < 0.1 ? 2 : 1) : compact(Math.round(value));
}

export function bytes(count) {
  if (count < 1024) return plural(count, 'byte');
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let size = count / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** A share as people say it; never 100 % while something is missing. */
export function percent(share) {
  if (share === null || share === undefined) return null;
  const digits = share > 0.99 && share < 1 ? 3 : 1;
  const text = (Math.floor(share * 100 * 10 ** digits) / 10 ** digits).toFixed(digits);
  return `${share === 1 ? '100' : text} %`;
}

/** Seconds in the two units that matter: "3 h 20 min". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return null;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const parts = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = parts.findIndex(([, length]) => seconds >= length);
  const [unit, length] = parts[first];
  const next = parts[first + 1];
  const count = Math.floor(seconds / length);
  const rest = next ? Math.floor((seconds - count * length) / next[1]) : 0;
  return rest > 0 ? `${count} ${unit} ${rest} ${next[0]}` : `${count} ${unit}`;
}

function relative(at, form) {
  const seconds = (Date.now() - at) / 1000;
  const size = Math.abs(seconds);
  const text = size < 2 ? 'now'
    : size < 60 ? `${Math.floor(size)} s`
    : size < 3600 ? `${Math.floor(size / 60)} min`
    : size < 86400 ? `${Math.floor(size / 3600)} h`
    : `${Math.floor(size / 86400)} d`;
  if (text === 'now') return form === 'for' ? 'just now' : text;
  return seconds < 0 ? `in ${text}` : form === 'for' ? `for ${text}` : `${text} ago`;
}

/** A moment as "3 min ago", exact on hover; it goes on counting by itself. */
export const ago = iso => counting(iso, 'ago');

/** How long something has lasted: "for 3 min". */
export const since = iso => counting(iso, 'for');

function counting(iso, form) {
  if (!iso) return none();
  const at = Date.parse(iso);
  return h('time', { datetime: iso, title: `${exact.format(at)}\n${iso}`, 'data-at': at, 'data-form': form }, relative(at, form));
}

/** A moment by the clock, with the day where it is not today. */
export function moment(iso) {
  if (!iso) return none();
  const at = new Date(iso);
  const millis = String(at.getMilliseconds()).padStart(3, '0');
  const today = at.toDateString() === new Date().toDateString();
  return h('time', { datetime: iso, title: `${exact.format(at)}\n${iso}` },
    today ? null : `${day.format(at)} `, clock.format(at), h('span', { class: 'faint' }, `.${millis}`));
}

export const none = (text = '–') => h('span', { class: 'faint' }, text);

/** "keepalive-timeout" as "keepalive timeout". */
export const words = text => text?.replaceAll('-', ' ');

export const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

setInterval(() => {
  for (const time of document.querySelectorAll('time[data-at]')) {
    const text = relative(Number(time.dataset.at), time.dataset.form);
    if (time.textContent !== text) time.textContent = text;
  }
}, 1000);
