// Builds elements. Data only ever becomes text nodes and attributes; the page's policy forbids innerHTML altogether.

const SVG = 'http://www.w3.org/2000/svg';

/** h('a', { href, class: 'x', on: { click } }, 'text', child, [more]): null and false stand for nothing. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === 'css') for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...flat(children));
  return element;
}

/** Puts these children in the place of all there are. */
export function show(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

const flat = children => children.flat(Infinity)
  .filter(child => child !== null && child !== undefined && child !== false)
  .map(child => (typeof child === 'number' ? String(child) : child));

/**
 * Shows items as children that keep their identity: what did not change is left alone, so that focus, selection and
 * opened details survive a refresh.
 */
export function reconcile(parent, items, keyOf, render) {
  const known = new Map([...parent.children].map(child => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const print = JSON.stringify(item);
    let row = known.get(key);
    known.delete(key);
    if (!row || row.print !== print) {
      const fresh = render(item);
      fresh.dataset.key = key;
      fresh.print = print;
      if (row) {
        const focused = row.contains(document.activeElement) ? [...row.querySelectorAll('a,button')].indexOf(document.activeElement) : -1;
        if (place === row) place = fresh;
        row.replaceWith(fresh);
        if (focused >= 0) fresh.querySelectorAll('a,button')[focused]?.focus();
      }
      row = fresh;
    }
    if (row === place) place = place.nextElementSibling;
    else parent.insertBefore(row, place);
  }
  for (const gone of known.values()) gone.remove();
}

/** Tells people who listen instead of looking. */
export function say(text) {
  document.getElementById('said').textContent = text;
}
