package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// page is what the browser ends on.
type page struct {
	OK     bool
	Title  string
	User   string // who signed in; "" if unknown or nobody
	Host   string
	Text   string
	Advice string // what to do next
}

// One small page without scripts, fonts or pictures from anywhere: nothing is
// loaded, so nothing can leak the address, which holds the code.
const pageStyle = `
:root{color-scheme:light dark;--bg:#f6f5f2;--card:#fff;--ink:#1d2327;--soft:#5c666e;--line:#e4e1db;--good:#12805c;--bad:#c0341d}
@media(prefers-color-scheme:dark){:root{--bg:#14181b;--card:#1d2327;--ink:#eef1f3;--soft:#a3aeb6;--line:#333c42;--good:#4cc79a;--bad:#ff8a73}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:460px;background:var(--card);border:1px solid var(--line);border-radius:16px;padding:36px 36px 28px;box-shadow:0 12px 40px rgba(0,0,0,.07)}
.mark{width:52px;height:52px;border-radius:50%;display:grid;place-items:center;font-size:26px;font-weight:600;color:var(--card);background:var(--good)}
.bad .mark{background:var(--bad)}
h1{font-size:23px;line-height:1.25;margin:20px 0 8px}
p{margin:0 0 12px}
dl{margin:20px 0;border:1px solid var(--line);border-radius:10px;overflow:hidden}
dl div{padding:10px 14px}
dl div+div{border-top:1px solid var(--line)}
dt{font-size:13px;color:var(--soft)}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.next,footer{color:var(--soft)}
footer{margin-top:24px;font-size:13px}
`

// html writes the page. Every field goes through e; a template package would do
// the same, but keeps the linker from leaving out unused methods anywhere, which
// costs the binary megabytes.
func (p page) html() []byte {
	e := html.EscapeString
	var b strings.Builder
	class, mark := "", "✓"
	if !p.OK {
		class, mark = ` class="bad"`, "!"
	}
	b.WriteString(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>` + e(p.Title) + ` · BrickMCP</title>
<style>` + pageStyle + `</style>
</head>
<body` + class + `>
<main>
<div class="mark" aria-hidden="true">` + mark + `</div>
<h1>` + e(p.Title) + "</h1>\n")
	if p.Text != "" {
		b.WriteString("<p>" + e(p.Text) + "</p>\n")
	}
	if p.Host != "" {
		b.WriteString("<dl>\n")
		if p.User != "" {
			b.WriteString(`<div><dt>Signed in as</dt><dd id="user">` + e(p.User) + "</dd></div>\n")
		}
		b.WriteString(`<div><dt>Databricks</dt><dd id="host">` + e(p.Host) + "</dd></div>\n</dl>\n")
	}
	if p.Advice != "" {
		b.WriteString(`<p class="next">` + e(p.Advice) + "</p>\n")
	}
	b.WriteString("<footer>BrickMCP, on this computer</footer>\n</main>\n</body>\n</html>\n")
	return []byte(b.String())
}

var pageCSP = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

// write sends the page. The connection ends with it: the listener is about to
// close.
func (p page) write(w http.ResponseWriter, status int) {
	body := p.html()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Security-Policy", pageCSP())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a browser that has gone needs no page
}
