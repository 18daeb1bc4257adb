"use strict";
// Search, filter and sort the rows of the timeline; the page is complete without it.
(() => {
  const tools = document.getElementById("tools");
  if (!tools) return;
  const body = document.querySelector(".lanes tbody");
  const rows = Array.from(body.rows, (row, place) => {
    const bar = row.querySelector(".lane i");
    const spans = row.querySelectorAll(".lane i");
    const last = spans[spans.length - 1];
    const begin = bar ? parseFloat(bar.style.left) : Infinity;
    const end = last ? parseFloat(last.style.left) + parseFloat(last.style.width) : -Infinity;
    const name = row.querySelector(".name").textContent;
    return { row, place, name, begin, seconds: begin - end, text: row.textContent.toLowerCase() };
  });
  const [find, show, order, shown] = ["find", "show", "order", "shown"].map((id) => document.getElementById(id));

  const compare = {
    place: (a, b) => a.place - b.place,
    begin: (a, b) => a.begin - b.begin || a.place - b.place,
    seconds: (a, b) => a.seconds - b.seconds || a.place - b.place,
    name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  };

  const choose = () => {
    const words = find.value.toLowerCase().split(/\s+/);
    let count = 0;
    for (const { row, text } of rows) {
      const fits = (!show.value || row.dataset.verdict === show.value) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = count === rows.length ? "" : `${count} of ${rows.length}`;
  };

  const sort = () => body.append(...[...rows].sort(compare[order.value]).map(({ row }) => row));

  find.addEventListener("input", choose);
  show.addEventListener("change", choose);
  order.addEventListener("change", sort);
  tools.hidden = false;
  // A browser may keep the form's values when the page is reloaded.
  sort();
  choose();
})();
