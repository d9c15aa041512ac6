// Tabs by keyboard: arrows go to the next and the previous one, Home and End to the first and the last.

export function walkTabs(event, choose) {
  const tabs = [...event.currentTarget.querySelectorAll("[role=tab]")];
  const at = tabs.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  choose(tabs.at(to % tabs.length), true);
}
