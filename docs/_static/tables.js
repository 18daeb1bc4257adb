// Label the cells of tables with three or more columns, for narrow screens: see tables.css.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.docutils:not(:has(.text-right))")) {
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
    if (heads.length < 3) continue;
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, column) => {
        if (column > 0 && heads[column] && cell.textContent.trim()) cell.dataset.label = heads[column];
      });
    }
  }
});
