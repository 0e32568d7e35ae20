package auth

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzParseCallback(f *testing.F) {
	for _, s := range []string{
		"", "code=c&state=s", "state=s&error=access_denied&error_description=%3Cscript%3E", "code=c&code=d&state=s",
		"code=%00&state=s", "state=s&iss=https%3A%2F%2Fa", "a=b;c=d", "%", "code=c&state=s&error=", "error=<b>&state=s",
	} {
		f.Add(s)
	}
	const state = "c3RhdGUtb2YtdGhlLXRlc3Q"
	f.Add("code=c&state=" + state)
	f.Fuzz(func(t *testing.T, query string) {
		c, err := parseCallback(query)
		if err != nil {
			if c != (callback{}) {
				t.Fatalf("%+v beside an error", c)
			}
			if len(query) > 20 && strings.Contains(err.Error(), query) {
				t.Fatalf("the error quotes the input: %v", err)
			}
			return
		}
		if (c.code == "") == (c.failure == "") || c.state == "" {
			t.Fatalf("neither or both: %+v", c)
		}
		if strings.ContainsAny(c.code+c.state, " \r\n\x00") || len(c.code) > maxCallback || c.failure != "" && !oauthCode().MatchString(c.failure) {
			t.Fatalf("not fit to use: %+v", c)
		}
		if c.belongs(state) != (c.state == state) {
			t.Fatal("the comparison of states is wrong")
		}
		var w httptest.ResponseRecorder
		w.Body = &bytes.Buffer{}
		page{Title: "t", Text: c.description, Host: c.issuer, User: c.description, Advice: c.description}.write(&w, 200)
		if n := strings.Count(w.Body.String(), "<"); n != strings.Count(render(t, page{Title: "t", Text: "x", Host: mark(c.issuer), User: mark(c.description), Advice: mark(c.description)}), "<")-missing(c) {
			t.Fatalf("markup came through:\n%s", w.Body)
		}
	})
}

func render(t *testing.T, p page) string {
	w := httptest.NewRecorder()
	p.write(w, 200)
	return w.Body.String()
}

// mark stands for a text on the reference page, empty where the text is.
func mark(s string) string {
	if s == "" {
		return ""
	}
	return "x"
}

// missing is the markup that an empty Text leaves out: the reference has one.
func missing(c callback) int {
	if c.description == "" {
		return 2 // <p> and </p>
	}
	return 0
}

func TestPageEscapes(t *testing.T) {
	const evil = `<img src=x onerror=alert(1)>"'&`
	got := render(t, page{OK: true, Title: evil, User: evil, Host: evil, Text: evil, Advice: evil})
	if strings.Contains(got, "<img") || strings.Count(got, "&lt;img") != 6 {
		t.Errorf("%s", got)
	}
	if len(got) > 5000 {
		t.Errorf("%d bytes are no small page", len(got))
	}
}
