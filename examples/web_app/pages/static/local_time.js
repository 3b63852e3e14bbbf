// Shows times in the time zone and format of the browser. Without scripts they stay in UTC.
const style = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });
for (const time of document.querySelectorAll("time[data-local]")) {
  time.textContent = style.format(new Date(time.dateTime));
}
