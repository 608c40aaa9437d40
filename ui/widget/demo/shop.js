// How a page uses the widget's own calls: a button sends a question.
addEventListener("click", (event) => {
  const button = event.target.closest("[data-ask]");
  if (button && window.Kefu) window.Kefu.send(button.dataset.ask).catch(() => {});
});
