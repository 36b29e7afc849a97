"""How the page of a plan looks: light and dark, on a phone and on paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """\
:root {
  --paper: #ffffff; --ground: #f5f6f8; --ink: #1b1f24; --soft: #59636e; --line: #d5dae0;
  --add: #116329; --add-back: #e6f6e9; --del: #a40e26; --del-back: #fdeaea; --mod: #8a5a00; --at: #4b5ea8;
  --warn: #8a5a00; --warn-back: #fff6df; --warn-line: #e3c46f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171b21; --ground: #0e1116; --ink: #e4e8ee; --soft: #9aa5b1; --line: #303844;
    --add: #6fd58b; --add-back: #14301e; --del: #ff9a94; --del-back: #3a191c; --mod: #e2b34c; --at: #9fb2ff;
    --warn: #e9c46a; --warn-back: #2b2413; --warn-line: #6b5721;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1, h2, h3, p, ul { margin: 0; }
h1 { font-size: 1.45rem; line-height: 1.3; text-wrap: balance; }
h2 { font-size: 1.05rem; }
h3 { font-size: .95rem; font-weight: 600; }
code, pre { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
ul { padding: 0; list-style: none; }
main > header p { color: var(--soft); margin-top: .35rem; }
main > header p:last-child { color: var(--ink); }
section { margin-top: 1.25rem; padding: 1rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 8px; }
.problems { background: var(--warn-back); border-color: var(--warn-line); }
.problems article, .kept article { padding-top: .7rem; }
.problems h2, .problems h3 { color: var(--warn); }
.problems h3 { font-weight: 600; }
.problems article .hint::before { content: "→ "; }
.hint, .note, .where { color: var(--soft); }
.hosts { color: var(--soft); }
.hosts b { color: var(--ink); font-weight: 600; white-space: nowrap; }
details.hosts > code { display: block; max-height: 12rem; overflow: auto; margin: .3rem 0; padding: .5rem .7rem;
  background: var(--ground); border-radius: 6px; }
details.hosts[open] > summary code { display: none; }
summary { cursor: pointer; color: var(--soft); }
.effects li { display: grid; grid-template-columns: 5rem minmax(12rem, 1fr) 1.4fr; gap: 0 .8rem; padding: .4rem 0;
  border-top: 1px solid var(--line); }
.effects li:first-child { border-top: 0; margin-top: .3rem; }
.effects .effect { font-weight: 600; }
h1 span { display: block; color: var(--warn); font-size: .8em; font-weight: 600; }
h1 i { position: absolute; clip-path: inset(50%); }
.problems article > header, .kept article > header { display: flex; flex-wrap: wrap; gap: 0 .7rem;
  align-items: baseline; }
.bundle > header { display: flex; flex-wrap: wrap; gap: .1rem .9rem; align-items: baseline; }
.bundle > article { margin-top: .8rem; padding-top: .8rem; border-top: 1px solid var(--line); }
.bundle article > h3 { display: flex; flex-wrap: wrap; gap: 0 .6rem; align-items: baseline; font-weight: 400; }
.name { font-weight: 600; color: var(--ink); font-size: .92em; }
h3 .effect { margin-left: auto; color: var(--soft); font-size: .92em; }
.mark { width: 1rem; font: 700 1rem/1 ui-monospace, monospace; text-align: center; }
.mark.add, summary .add { color: var(--add); }
.mark.del, .mark.bad, summary .del { color: var(--del); }
.mark.mod { color: var(--mod); }
.bundle article > :not(h3) { margin: .35rem 0 0 1.6rem; }
.edited { padding: 0 .45em; color: var(--warn); background: var(--warn-back); border-radius: 4px; }
.facts li { display: inline; color: var(--soft); }
.facts li + li::before { content: " · "; }
.meaning li { padding-left: .7rem; border-left: 3px solid var(--mod); overflow-wrap: anywhere; }
pre { margin: .4rem 0 0; overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: .3rem 0; }
pre span { display: block; width: max-content; min-width: 100%; padding: 0 .7rem; min-height: 1.5em; white-space: pre; }
pre .add { color: var(--add); background: var(--add-back); }
pre .del { color: var(--del); background: var(--del-back); }
pre .at { color: var(--at); }
footer { margin-top: 1.5rem; color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  main { padding: 1rem .6rem 2rem; }
  section { padding: .8rem; }
  .effects li { grid-template-columns: 4.5rem 1fr; }
  .effects li > :last-child { grid-column: 2; }
  .bundle article > :not(h3) { margin-left: 0; }
  article > h3 { flex-wrap: wrap; }
  h3 .effect { margin-left: 1.6rem; width: 100%; }
  .name { flex: 1; min-width: 0; }
}
@media print {
  body { background: none; font-size: 10pt; }
  main { max-width: none; padding: 0; }
  pre span { white-space: pre-wrap; width: auto; overflow-wrap: anywhere; }
  .bundle > header, h3 { break-after: avoid; }
}
"""
