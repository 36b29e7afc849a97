"""How the status page looks: light and dark, at a desk and on a phone. It says nothing by colour alone."""

from __future__ import annotations

from typing import Final

STYLE: Final = """\
:root {
  --paper: #ffffff; --ground: #f5f6f8; --ink: #1b1f24; --soft: #57606b; --line: #d5dae0; --link: #1f5fbf;
  --ok: #116329; --ok-back: #e0f4e5; --warning: #7a4d00; --warning-back: #fff0cc;
  --critical: #a40e26; --critical-back: #fde4e4; --unknown: #47505b; --unknown-back: #e4e8ed;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171b21; --ground: #0e1116; --ink: #e4e8ee; --soft: #9aa5b1; --line: #303844; --link: #8ab4f8;
    --ok: #7fdc99; --ok-back: #14301e; --warning: #f0c766; --warning-back: #33290f;
    --critical: #ffa39d; --critical-back: #431a1e; --unknown: #c3ccd6; --unknown-back: #2a313b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  -webkit-text-size-adjust: 100%; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1, h2, p, ul, dl, dd { margin: 0; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin-bottom: .5rem; }
ul { padding: 0; list-style: none; }
code { font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible, .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
header { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; }
header p { flex-basis: 100%; color: var(--soft); }
.old { flex-basis: 100%; color: var(--warning); font-weight: 600; visibility: hidden; height: 0;
  animation: reveal 1ms linear 180s forwards; }
@keyframes reveal { to { visibility: visible; height: auto; } }
.badge { display: inline-block; padding: .05rem .6rem; border: 1px solid; border-radius: 1rem; font-weight: 600;
  white-space: nowrap; }
header .badge { font-size: 1.1rem; }
.badge i { font-style: normal; }
.ok { color: var(--ok); background: var(--ok-back); }
.warning { color: var(--warning); background: var(--warning-back); }
.critical { color: var(--critical); background: var(--critical-back); }
.unknown, .info { color: var(--unknown); background: var(--unknown-back); }
section { margin-top: 1rem; padding: 1rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 8px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin-top: 1rem; }
.tiles div { padding: .8rem 1rem; background: var(--paper); border: 1px solid var(--line); border-radius: 8px; }
.tiles dt { color: var(--soft); font-size: .9rem; }
.tiles .figure { font-size: 1.7rem; font-weight: 650; line-height: 1.25; }
.tiles dd + dd { color: var(--soft); font-size: .92rem; }
.lines li { padding: .35rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.lines li:first-child { border-top: 0; padding-top: 0; }
.lines li:last-child { padding-bottom: 0; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .8rem .4rem 0; text-align: left; vertical-align: baseline; border-top: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-top: 0; color: var(--soft); font-size: .88rem; font-weight: 600; white-space: nowrap; }
tbody th .badge { display: block; width: fit-content; margin-top: .2rem; font-size: .9em; }
tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 9.5rem; }
.number { text-align: right; white-space: nowrap; }
.wide { min-width: 16rem; overflow-wrap: anywhere; }
.short { white-space: nowrap; }
.none, .note { color: var(--soft); }
.note { margin-top: .5rem; }
td .none, .labels { font-size: .92em; }
.labels { display: block; color: var(--soft); font-weight: 400; }
details { margin-top: .5rem; }
summary { cursor: pointer; color: var(--soft); }
footer { margin-top: 1.25rem; color: var(--soft); font-size: .9rem; }
@media (max-width: 40rem) {
  main { padding: 1rem .6rem 2rem; }
  section { padding: .8rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); gap: .5rem; }
  .tiles div { padding: .6rem .8rem; }
  .tiles .figure { font-size: 1.4rem; }
  tbody th { min-width: 6rem; }
  .wide { min-width: 8rem; }
}
@media print {
  body { background: none; font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
}
"""
