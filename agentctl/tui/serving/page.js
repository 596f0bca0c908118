"use strict";
window.open = () => null; // the terminal makes links of addresses in a run's words
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) { // the terminal talks on after its session has ended
  if (this.readyState === WebSocket.OPEN) send.call(this, data);
};
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
