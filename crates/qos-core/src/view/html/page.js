
'use strict';
(() => {
  const parts = location.search.replace(/^\?/, '').split('&');
  const kept = parts.filter((part) => part && !/^refresh(=|$)/i.test(part)).join('&');
  const page = location.pathname + (kept ? '?' + kept : '');
  if (parts.some((part) => /^refresh(=|$)/i.test(part))) {
    // The header Refresh of this response would reload the page: leave it for one without.
    location.replace(page + '#refresh');
    return;
  }
  const main = document.querySelector('main');
  const form = document.querySelector('form.refresh');
  const button = form.querySelector('input[type=submit]');
  let on = location.hash === '#refresh';
  let busy = false;
  const show = () => {
    button.value = on ? 'disable' : 'enable';
    for (const other of document.querySelectorAll('form')) {
      other.action = location.pathname + (on ? '#refresh' : '');
    }
  };
  const update = async () => {
    if (!on || busy || document.hidden) return;
    busy = true;
    let late = true;
    try {
      const answer = await fetch(page, { cache: 'no-store', signal: AbortSignal.timeout(9000) });
      const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
      if (fresh && on) main.replaceChildren(...fresh.childNodes);
      late = !fresh;
    } catch { /* shown as late, tried again */ }
    document.body.classList.toggle('late', late && on);
    busy = false;
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    on = !on;
    history.replaceState(null, '', page + (on ? '#refresh' : ''));
    document.body.classList.remove('late');
    show();
    update();
  });
  document.addEventListener('visibilitychange', update);
  setInterval(update, 5000);
  show();
})();
