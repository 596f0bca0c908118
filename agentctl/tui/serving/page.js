"use strict";
addEventListener("DOMContentLoaded", () => {
  document.getElementById("again").addEventListener("click", () => location.replace("/"));
  const shown = new MutationObserver(() => {
    if (document.body.classList.contains("-first-byte")) {
      shown.disconnect();
      document.querySelector(".xterm-helper-textarea").focus(); // or keys would do nothing before a click
    }
  });
  shown.observe(document.body, { attributeFilter: ["class"] });
});
