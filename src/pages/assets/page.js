// Two conveniences; every page works without them.
"use strict";

// Results as one types: asks for the page of the search text and takes its results.
for (const form of document.querySelectorAll("form[data-live]")) {
  const target = document.getElementById(form.dataset.live);
  const field = form.querySelector("input[type=search]");
  let pause;
  let running;
  const show = async () => {
    running?.abort();
    running = new AbortController();
    const address = new URL(form.action, location.href);
    for (const [name, value] of new FormData(form)) if (value) address.searchParams.append(name, value);
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: running.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById(target.id);
      if (found) target.replaceChildren(...found.childNodes);
      history.replaceState(null, "", address);
    } catch {
      // A later letter was typed, or the service is away: the button still asks for the whole page.
    }
  };
  field?.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(show, 120);
  });
}

// Choices that lead on at once. Their button is for who has no script.
for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// Copy buttons: for a text on the page, or for the file that a link leads to.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const text = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  if (!text || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      const answer = text.href && (await fetch(text.href));
      if (answer && !answer.ok) throw new Error(answer.status);
      await navigator.clipboard.writeText(answer ? await answer.text() : text.textContent.trim());
      button.textContent = document.documentElement.lang === "da" ? "Kopieret" : "Copied";
      setTimeout(() => (button.textContent = label), 2000);
    } catch {
      // The link leads to the file, or to the page that says why there is none. A text can be marked and copied by hand.
      if (text.href) location.assign(text.href);
    }
  });
}
