document.addEventListener("input", (event) => {
  const pair = event.target.closest(".pair");
  if (pair) pair.querySelector(".sheet").style.setProperty("--split", event.target.value + "%");
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-zooms]");
  if (!button) return;
  const view = button.parentNode.parentNode.querySelector(".view");
  const zoom = { "1": "2", "2": "4", "4": "1" }[view.dataset.zoom || "1"];
  if (zoom === "1") delete view.dataset.zoom; else view.dataset.zoom = zoom;
  button.querySelector("span").textContent = zoom + "×";
  view.scrollLeft = (view.scrollWidth - view.clientWidth) / 2;
  view.scrollTop = (view.scrollHeight - view.clientHeight) / 2;
});
