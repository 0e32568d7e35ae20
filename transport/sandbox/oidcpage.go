package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"slices"
	"strconv"
	"strings"
)

// signInPeople are those the page offers: the ones with tokens of their own.
var signInPeople = []string{"ana@example.com", "ben@example.com"}

// denyChoice is what the form sends for nobody.
const denyChoice = "deny"

// pickPage is what the sign-in page shows.
type pickPage struct {
	Client string // the program that asks
	Host   string // of this workspace
	Return string // origin that the browser goes to next
	Handle string
	Scopes []string
	People []choice
}

type choice struct{ Name, Display, Initials, Groups string }

// choices are the people who can sign in. Needs p.mu held.
func (p *people) choices() []choice {
	var all []choice
	for _, m := range p.members {
		if !m.active || m.servicePrincipal || !slices.Contains(signInPeople, m.name) {
			continue
		}
		c := choice{Name: m.name, Display: m.display, Groups: strings.Join(p.groupNames(m.id), ", ")}
		for _, part := range strings.Fields(m.display) {
			c.Initials += part[:1]
		}
		all = append(all, c)
	}
	return all
}

const signInStyle = `
:root{color-scheme:light dark;--bg:#f6f5f2;--card:#fff;--ink:#1d2327;--soft:#5c666e;--line:#d9d5ce;--mark:#c0341d;--hover:#faf3f0}
@media(prefers-color-scheme:dark){:root{--bg:#14181b;--card:#1d2327;--ink:#eef1f3;--soft:#a3aeb6;--line:#3a444b;--mark:#ff8a73;--hover:#283036}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:440px;background:var(--card);border:1px solid var(--line);border-radius:16px;padding:32px;box-shadow:0 12px 40px rgba(0,0,0,.07)}
h1{font-size:23px;line-height:1.25;margin:0 0 8px}
p{margin:0 0 16px;overflow-wrap:anywhere}
.brand{margin:0 0 20px;font-size:13px;font-weight:600;letter-spacing:.02em;color:var(--mark)}
ul{list-style:none;margin:0 0 12px;padding:0;display:grid;gap:10px}
button{width:100%;min-height:48px;font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:12px;padding:12px 14px;cursor:pointer}
button:hover{background:var(--hover);border-color:var(--mark)}
button:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
.person{display:grid;grid-template-columns:44px 1fr;gap:14px;align-items:center;text-align:left}
.face{width:44px;height:44px;border-radius:50%;display:grid;place-items:center;font-weight:600;color:#fff;background:#1f6f8b}
li:nth-child(2n) .face{background:#7a4fa3}
.name,.more{display:block;overflow-wrap:anywhere}
.name{font-weight:600}
.more,footer,.deny{color:var(--soft)}
.more{font-size:14px}
footer{margin-top:20px;padding-top:16px;border-top:1px solid var(--line);font-size:13px;overflow-wrap:anywhere}
code{font:13px ui-monospace,Consolas,monospace}
`

// signInFrame puts main, which is HTML, into a page.
func signInFrame(title, main string) string {
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<style>` + signInStyle + `</style>
<title>` + title + ` · BrickMCP sandbox</title>
</head>
<body>
<main>
<p class="brand">Embedded workspace · BrickMCP sandbox</p>
` + main + `
</main>
</body>
</html>
`
}

// html writes the page; every field goes through e. A template package would do
// the same, but keeps the linker from leaving out unused methods anywhere, which
// costs the binary megabytes.
func (p pickPage) html() string {
	e := html.EscapeString
	var people, scopes strings.Builder
	for _, c := range p.People {
		people.WriteString(`<li><button class="person" name="choice" value="` + e(c.Name) + `"><span class="face" aria-hidden="true">` + e(c.Initials) +
			`</span><span><span class="name">` + e(c.Display) + `</span> <span class="more">` + e(c.Name) + `</span> <span class="more">` + e(c.Groups) + "</span></span></button></li>\n")
	}
	for i, scope := range p.Scopes {
		if i > 0 {
			scopes.WriteString(", ")
		}
		scopes.WriteString("<code>" + e(scope) + "</code>")
	}
	return signInFrame("Sign in", `<h1>Who is signing in?</h1>
<p><strong>`+e(p.Client)+`</strong> asks to use the workspace at `+e(p.Host)+` on your behalf.</p>
<form method="post" action="authorize" autocomplete="off">
<input type="hidden" name="request" value="`+e(p.Handle)+`">
<ul role="list" aria-label="People">
`+people.String()+`</ul>
<button class="deny" name="choice" value="`+denyChoice+`">Deny</button>
</form>
<footer>Asks for: `+scopes.String()+`. Then goes back to `+e(p.Return)+`. These people are made up: no password is needed.</footer>`)
}

// refusedPage says why a sign-in cannot go on.
func refusedPage(why string) string {
	return signInFrame("No sign-in", `<h1>This sign-in cannot go on</h1>
<p id="why" role="alert">`+html.EscapeString(why)+`</p>
<footer>Nobody was signed in, and the program that asked was told nothing. Start the sign-in there again.</footer>`)
}

// signInPolicy is the Content-Security-Policy of a page. Browsers apply
// form-action to the redirect that follows a form too, so the way back to the
// program has to be in it.
func signInPolicy(back string) string {
	sum := sha256.Sum256([]byte(signInStyle))
	form := "'none'"
	if back != "" {
		form = "'self' " + back
	}
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action " + form + "; base-uri 'none'; frame-ancestors 'none'"
}

// writePage answers with a page; back is the origin that its form leads to, ""
// for a page without one.
func writePage(r *request, status int, page, back string) (any, error) {
	h := r.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Content-Security-Policy", signInPolicy(back))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	r.w.WriteHeader(status)
	_, _ = r.w.Write([]byte(page)) // a browser that has gone needs no page
	return nil, errWritten
}
