# Copyright (c) 2026, The netguard.lockdown authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style of the page: quiet, readable, the same in light and dark, and on paper."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--paper:#ffffff;--ink:#1c2430;--soft:#5b6675;--line:#dde2e9;--wash:#f2f4f7;
--link:#1d5fa8;--good:#1f7a4d;--good-wash:#e8f4ed;--bad:#b3261e;--bad-wash:#fcecea;--unsure:#8a5a00;
--unsure-wash:#fdf3dd}
@media (prefers-color-scheme:dark){:root{--bg:#12171e;--paper:#1a212a;--ink:#e7ebf1;--soft:#a3aebd;--line:#333e4b;
--wash:#212a35;--link:#8cbcf0;--good:#63c795;--good-wash:#16301f;--bad:#ff8a80;--bad-wash:#3a1b19;--unsure:#f0b955;
--unsure-wash:#352711}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Liberation Sans",Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 28px 64px;overflow-wrap:anywhere}
.skip{position:absolute;left:-999px}
.skip:focus{left:12px;top:12px;background:var(--paper);padding:8px 12px;z-index:1}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
h1{font-size:1.05rem;font-weight:600;margin:0;color:var(--soft)}
h2{font-size:1.3rem;line-height:1.3;margin:2.6rem 0 .4rem;letter-spacing:-.01em}
h3{font-size:1rem;margin:0 0 .2rem}
p{margin:.3rem 0 .8rem;max-width:75ch}
.lead{color:var(--soft);margin-bottom:1rem}
header.top{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 24px;align-items:baseline;
margin-bottom:14px}
header.top p{margin:0;color:var(--soft);font-size:.9rem}
.verdict{display:grid;grid-template-columns:auto minmax(0,1fr);gap:4px 22px;align-items:center;background:var(--paper);
border:1px solid var(--line);border-left:8px solid var(--tone);border-radius:10px;padding:22px 26px}
.verdict .sign{grid-row:span 2;width:64px;height:64px;border-radius:50%;background:var(--wash-tone);color:var(--tone);
display:grid;place-items:center;font-size:34px;font-weight:700;line-height:1}
.verdict .word{font-size:2rem;font-weight:700;line-height:1.15;margin:0;color:var(--tone)}
.verdict ul{margin:.1rem 0 0;padding:0;list-style:none}
.verdict li{max-width:80ch}
.pass{--tone:var(--good);--wash-tone:var(--good-wash)}
.fail{--tone:var(--bad);--wash-tone:var(--bad-wash)}
.inconclusive{--tone:var(--unsure);--wash-tone:var(--unsure-wash)}
.neutral{--tone:var(--soft);--wash-tone:var(--wash)}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:14px 0 0;padding:0}
.numbers div{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:12px 16px}
.numbers dt{color:var(--soft);font-size:.85rem}
.numbers dd{margin:0;font-size:1.4rem;font-weight:650;font-variant-numeric:tabular-nums;color:var(--tone,var(--ink))}
.numbers dd small{font-size:.85rem;font-weight:400;color:var(--soft)}
.note{background:var(--wash-tone);border-left:4px solid var(--tone);border-radius:8px;padding:14px 18px;margin:14px 0}
.note p{margin:.25rem 0;max-width:95ch}
.note .kind{color:var(--tone);font-size:.8rem;font-weight:700;letter-spacing:.05em;text-transform:uppercase}
.note h3{font-size:1.1rem}
nav ol{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;padding:0;margin:18px 0 0;font-size:.92rem}
figure{margin:0}
.scroll{overflow-x:auto;background:var(--paper);border:1px solid var(--line);border-radius:10px}
figure.scroll{padding:18px}
.scroll+.scroll,.facts+.scroll,.scroll+.facts{margin-top:14px}
figure svg{display:block;width:100%;min-width:860px;height:auto}
figcaption{color:var(--soft);font-size:.88rem;margin-top:10px}
table{border-collapse:collapse;width:100%;font-size:.92rem}
caption{text-align:left;padding:12px 14px 8px;color:var(--soft);font-size:.88rem}
th,td{text-align:left;vertical-align:top;padding:8px 14px;border-top:1px solid var(--line)}
thead th{font-size:.82rem;color:var(--soft);font-weight:600;background:var(--wash);border-top:0}
tbody th{font-weight:500}
td,th{overflow-wrap:break-word}
.tight{white-space:nowrap;overflow-wrap:normal}
.mark{display:inline-block;white-space:nowrap;font-weight:600;color:var(--tone)}
.small{font-size:.88em;color:var(--soft)}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.88em;
overflow-wrap:anywhere}
dl.facts{display:grid;grid-template-columns:minmax(130px,max-content) minmax(0,1fr);gap:4px 20px;margin:10px 0;
font-size:.94rem}
dl.facts dt{color:var(--soft)}
dl.facts dd{margin:0;overflow-wrap:anywhere}
td code,th code{overflow-wrap:break-word}
ul.plain li::marker{color:var(--soft)}
.gap{margin-top:14px}
.legend span{margin-right:22px;white-space:nowrap}
ul.plain{padding-left:1.1rem;margin:.3rem 0 .8rem}
details{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:10px 16px;margin:10px 0}
summary{cursor:pointer;font-weight:600}
pre{overflow-x:auto;font-size:.82rem;line-height:1.45;margin:.6rem 0}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.88rem}
@media (max-width:640px){main{padding:18px 14px 48px}.verdict{padding:16px;gap:4px 14px}.verdict .word{font-size:1.5rem}
.verdict .sign{width:46px;height:46px;font-size:24px}th,td{padding:7px 9px}dl.facts{grid-template-columns:minmax(0,1fr)}
dl.facts dd{margin-bottom:.4rem}}
@media print{@page{size:A4;margin:14mm 12mm}
:root{color-scheme:light;--bg:#fff;--paper:#fff;--ink:#000;--soft:#444;--line:#bbb;--wash:#f2f2f2;--link:#000;
--good:#1f6b45;--good-wash:#fff;--bad:#a31e17;--bad-wash:#fff;--unsure:#7a5000;--unsure-wash:#fff}
body{font-size:10.5pt}
main{max-width:none;padding:0}
nav,.skip{display:none}
h2{margin-top:1.4rem;break-after:avoid}
.verdict,.note,.numbers div,tr,figure{break-inside:avoid}
.scroll{overflow:visible;border:0;border-radius:0}
figure.scroll{padding:0}
figure svg{min-width:0}
thead{display:table-header-group}
thead,caption{break-after:avoid}
.numbers{grid-template-columns:repeat(5,1fr);gap:6px}
.numbers div{padding:8px 10px}
.numbers dd{font-size:1.1rem}
table{font-size:8.5pt}
th,td{padding:4px 6px}
.note{border:1px solid var(--line);border-left:4px solid var(--tone)}
pre{white-space:pre-wrap;font-size:7.5pt}
a{text-decoration:none}}
"""
