// Keeps the report fresh: asks for its changing part and puts it in place. A server that does not
// answer is asked less often, a page that nobody looks at not at all.
"use strict";

const live = document.getElementById("live");
const quiet = document.getElementById("quiet");
let shown = "";
let failures = 0;

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(live.dataset.from, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.statusText);
      const text = await answer.text();
      if (text !== shown) {
        const open = live.querySelector("details")?.open;
        live.innerHTML = text;
        shown = text;
        const details = live.querySelector("details");
        if (details && open) details.open = true;
      }
      failures = 0;
    } catch {
      failures += 1;
    }
    quiet.hidden = failures < 2;
  }
  setTimeout(refresh, pause());
}

function pause() {
  const every = Number(live.querySelector("[data-every]")?.dataset.every) || 3000;
  return Math.min(every * 2 ** failures, 60000);
}

setTimeout(refresh, pause());
