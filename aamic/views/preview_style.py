"""How previews look: light and dark, at a desk and on a phone. They say nothing by colour alone."""

from __future__ import annotations

from typing import Final

from aamic.model.dashboard import WIDTH
from aamic.views.preview_chart import LINES

_DARK: Final = ("#8ab4f8", "#f7a35c", "#5fd3a0", "#d49bf0", "#57cbdc", "#f08bb8", "#e0c04f", "#a9b6c3")
"""The colours of lines on dark paper, in the order of those on light."""
_LIGHT_NAMES: Final = "".join(f"--l{number}: {colour}; " for number, colour in enumerate(LINES))
_DARK_NAMES: Final = "".join(f"--l{number}: {colour}; " for number, colour in enumerate(_DARK))
_STROKES: Final = "\n".join(
    f".line.l{n} {{ stroke: var(--l{n}); }} .area.l{n}, .dot.l{n} {{ fill: var(--l{n}); }}" for n in range(len(LINES))
)
_SPANS: Final = "\n".join(f".w{width} {{ grid-column: span {width}; }}" for width in range(1, WIDTH + 1))

STYLE: Final = f"""\
:root {{
  --paper: #ffffff; --ground: #f5f6f8; --ink: #1b1f24; --soft: #57606b; --rule: #d5dae0; --grid: #e3e7ec;
  --link: #1f5fbf; --shade: 31 95 191;
  --ok: #116329; --ok-back: #e0f4e5; --warning: #7a4d00; --warning-back: #ffe6a8;
  --critical: #a40e26; --critical-back: #ffcfd0; --unknown: #47505b; --unknown-back: #dfe4ea;
  {_LIGHT_NAMES}
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --paper: #171b21; --ground: #0e1116; --ink: #e4e8ee; --soft: #9aa5b1; --rule: #303844; --grid: #2a313b;
    --link: #8ab4f8; --shade: 138 180 248;
    --ok: #7fdc99; --ok-back: #14301e; --warning: #f5cf72; --warning-back: #4a3a0c;
    --critical: #ffb1ac; --critical-back: #641d24; --unknown: #c3ccd6; --unknown-back: #333c47;
    {_DARK_NAMES}
  }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif;
  -webkit-text-size-adjust: 100%; }}
main {{ max-width: 80rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }}
h1, h2, h3, p, ul, dl, dd {{ margin: 0; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.05rem; margin: 1.4rem 0 .6rem; }}
h3 {{ font-size: .95rem; margin-bottom: .4rem; overflow-wrap: anywhere; }}
ul {{ padding: 0; list-style: none; }}
a {{ color: var(--link); }}
a:focus-visible, .scroll:focus-visible, summary:focus-visible {{ outline: 2px solid var(--link); outline-offset: 2px; }}
code {{ font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }}
nav {{ display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-bottom: .6rem; font-size: .95rem; }}
header p {{ color: var(--soft); overflow-wrap: anywhere; }}
.badge {{ display: inline-block; padding: 0 .5rem; border: 1px solid; border-radius: 1rem; font-size: .86rem;
  font-weight: 600; white-space: nowrap; }}
.badge i {{ font-style: normal; }}
h1 .badge {{ font-size: 1rem; vertical-align: .2rem; }}
.ok {{ color: var(--ok); }}
.warning {{ color: var(--warning); background: var(--warning-back); }}
.critical {{ color: var(--critical); background: var(--critical-back); }}
.unknown, .badge.info {{ color: var(--unknown); background: var(--unknown-back); }}
.badge.ok, .cells .ok {{ background: var(--ok-back); }}
.look {{ margin-top: .9rem; padding: .7rem 1rem; background: var(--paper); border: 1px solid var(--rule);
  border-radius: 8px; }}
.look li {{ padding: .25rem 0; overflow-wrap: anywhere; }}
.look p {{ color: var(--soft); overflow-wrap: anywhere; }}
.grid {{ display: grid; grid-template-columns: repeat({WIDTH}, minmax(0, 1fr)); gap: .7rem; }}
{_SPANS}
.panel {{ padding: .7rem .85rem; background: var(--paper); border: 1px solid var(--rule); border-radius: 8px;
  min-width: 0; scroll-margin-top: 1rem; }}
.panel:target {{ outline: 3px solid var(--link); }}
.hidden {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }}
.fault {{ color: var(--critical); font-weight: 600; overflow-wrap: anywhere; }}
.empty {{ color: var(--soft); font-size: 1.1rem; }}
.note, summary, .labels {{ color: var(--soft); font-size: .88rem; }}
.labels {{ overflow-wrap: anywhere; min-width: 11rem; }}
details {{ margin-top: .45rem; font-size: .88rem; }}
summary {{ cursor: pointer; }}
details li {{ margin-top: .25rem; }}
.stats dd {{ display: inline-block; font-size: 1.75rem; font-weight: 650; line-height: 1.25; padding: 0 .4rem;
  border-radius: 6px; margin-left: -.4rem; overflow-wrap: anywhere; }}
.stats.many {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .4rem; }}
.stats.many dt {{ color: var(--soft); font-size: .88rem; overflow-wrap: anywhere; }}
.stats.many dd {{ font-size: 1.25rem; }}
svg {{ display: block; width: 100%; height: auto; font-family: inherit; }}
svg text {{ fill: var(--soft); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }}
 svg .t-warning {{ fill: var(--warning); }} svg .t-critical {{ fill: var(--critical); }}
.line {{ fill: none; stroke: var(--soft); stroke-linejoin: round; }} .line.grid {{ stroke: var(--grid); }}
svg .line.t-warning {{ stroke: var(--warning); fill: none; }} svg .line.t-critical {{ stroke: var(--critical);
  fill: none; }}
.area {{ opacity: .3; }}
{_STROKES}
.slim {{ display: none; }}
.swatch {{ display: inline-block; width: 24px; height: 10px; vertical-align: baseline; }}
.scroll {{ overflow-x: auto; }} .k-table .scroll, .k-alerts .scroll {{ max-height: 24rem; overflow-y: auto; }}
.panel thead th {{ position: sticky; top: 0; background: var(--paper); }}
td.ok {{ color: inherit; }}
.legend {{ margin-top: .3rem; }}
table {{ width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }}
th, td {{ padding: .22rem .7rem .22rem .3rem; text-align: left; vertical-align: baseline;
  border-top: 1px solid var(--rule); }}
thead th {{ border-top: 0; color: var(--soft); font-size: .86rem; font-weight: 600; white-space: nowrap; }}
tbody th {{ font-weight: 500; }} .long {{ overflow-wrap: anywhere; min-width: 9rem; }}
.short {{ white-space: nowrap; }}
.number {{ text-align: right; white-space: nowrap; }}
.track {{ width: 60%; min-width: 5rem; vertical-align: middle; }}
.bars {{ height: 12px; background: var(--grid); border-radius: 3px; }}
.bar {{ fill: var(--l0); }} .bar.critical {{ fill: var(--critical); }} .bar.warning {{ fill: var(--warning); }}
.bar.ok {{ fill: var(--ok); }}
.cells {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: 4px; }}
.cells li {{ padding: .25rem .45rem; border-radius: 4px; overflow: hidden; }}
.cells span {{ display: block; font-size: .8rem; overflow-wrap: anywhere; line-height: 1.2; }}
.cells .hidden {{ display: inline; }}
.cells.dense {{ grid-template-columns: repeat(auto-fill, 1.05rem); gap: 2px; }}
.cells.dense li {{ height: 1.05rem; padding: 0; text-align: center; font-size: .75rem; line-height: 1.05rem;
  font-weight: 700; border-radius: 2px; }}
.cells .critical {{ box-shadow: inset 0 0 0 2px; }}
.v0 {{ background: rgb(var(--shade) / .08); }} .v1 {{ background: rgb(var(--shade) / .18); }}
.v2 {{ background: rgb(var(--shade) / .3); }} .v3 {{ background: rgb(var(--shade) / .42); }}
.v4 {{ background: rgb(var(--shade) / .55); }}
.worst {{ margin-top: .5rem; }} .worst li {{ padding: .1rem 0; overflow-wrap: anywhere; }}
footer {{ margin-top: 1.25rem; color: var(--soft); font-size: .88rem; }}
@media (max-width: 60rem) {{
  .grid {{ grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }}
  .panel {{ grid-column: 1 / -1; }}
  .panel.k-stat:not(.several) {{ grid-column: span 1; }}
}}
@media (max-width: 40rem) {{
  main {{ padding: .8rem .6rem 2rem; }}
  .wide {{ display: none; }} .slim {{ display: block; max-width: 30rem; }}
  .panel {{ padding: .6rem; }}
  .stats dd {{ font-size: 1.4rem; }}
  .grid {{ gap: .5rem; }}
}}
@media print {{
  body {{ background: none; font-size: 10pt; }}
  .panel .scroll {{ overflow: visible; max-height: none; }}
}}
"""
