"""The frame of the report: styles, and a script for the slider of steps and the filter."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>Trace</title>
<style>
body { font: 14px/1.45 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto;
 padding: 0 1em }
h1 { font-size: 22px; margin-bottom: 0 } h4 { margin: .8em 0 .2em }
p.about, .none, summary span { color: #666 }
table { border-collapse: collapse; margin: .2em 0 }
td, th { padding: 2px 9px; border-bottom: 1px solid #e4e4e4; text-align: left;
 vertical-align: middle; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
th { font-weight: normal; color: #666 }
img { width: 56px; height: 56px; object-fit: contain; image-rendering: pixelated; margin: 2px;
 border: 1px solid #ddd; vertical-align: middle }
.bar { display: grid; grid-template-columns: 240px 1fr 80px; gap: 8px; align-items: center;
 color: inherit; text-decoration: none; height: 21px }
.bar:hover { background: #f3f3f3 }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.track { position: relative; height: 12px; background: #f4f4f4 }
.track i { position: absolute; top: 0; bottom: 0; border-radius: 2px }
.level0 { background: #9db4cc } .level1 { background: #3b77b5 } .level2 { background: #6aa84f }
.level3 { background: #a18cc4 } i.bad { background: #c62828 }
.time { text-align: right; font-variant-numeric: tabular-nums }
details.record { border: 1px solid #ddd; border-radius: 4px; padding: 6px 12px; margin: 8px 0;
 overflow-x: auto }
summary { cursor: pointer } .mark, .error, td.bad { color: #c62828 } .mark { margin-left: 1em }
.error { font-family: monospace; white-space: pre-wrap }
.sampling input { width: 320px; vertical-align: middle }
.scripted .step:not(.now), .scripted.few .between { display: none }
</style>
</head>
<body>
<h1>Trace</h1>
<p class="about"><!--about--></p>
<p><!--summary--></p>
<p><label><input type="checkbox" id="all"> show what ran between denoising steps</label></p>
<section id="timeline"><!--timeline--></section>
<section id="records"><!--records--></section>
<script>
const root = document.body;
root.classList.add("scripted");
for (const one of document.querySelectorAll(".sampling")) {
  const steps = [...one.querySelectorAll(".step")], slider = one.querySelector("input");
  const show = () => steps.forEach((s, i) => s.classList.toggle("now", i == slider.value));
  slider.addEventListener("input", show);
  show();
}
const all = document.getElementById("all");
const filter = () => root.classList.toggle("few", !all.checked);
all.addEventListener("change", filter);
filter();
for (const bar of document.querySelectorAll(".bar")) {
  bar.addEventListener("click", () => {
    document.getElementById(bar.hash.slice(1)).open = true;
  });
}
root.dataset.ready = document.querySelectorAll(".record").length;
</script>
</body>
</html>
"""
