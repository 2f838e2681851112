/* What the browser keeps of a report, by the report's id; where it may not, the page says so. */
"use strict";

(function () {
  const key = `footagefit:${footagefit.data.id}`;
  let works = true;

  function read() {
    try {
      return JSON.parse(window.localStorage.getItem(key) || "null");
    } catch (error) {
      works = false;
      return null;
    }
  }

  function write(value) {
    try {
      window.localStorage.setItem(key, JSON.stringify(value));
      works = true;
    } catch (error) {
      works = false;
    }
    return works;
  }

  footagefit.saved = { read, write, works: () => works };
})();
