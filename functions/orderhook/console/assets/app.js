// The console's only script: it signs in by a link's fragment, and asks for a live page again.
"use strict";

// A link may be opened in a tab that already shows the page: only its fragment changes then.
const redeem = () => {
  const form = document.getElementById("redeem");
  const code = location.hash.slice(1);
  if (!form || !code) return;
  history.replaceState(null, "", location.pathname);
  form.elements.code.value = code;
  form.submit();
};
addEventListener("hashchange", redeem);
redeem();
