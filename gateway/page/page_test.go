package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHandler requests paths that exist whether the page was built or not.
func TestHandler(t *testing.T) {
	h, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html"},
		{"HEAD", "/", 200, "text/html"},
		{"GET", "/d/checkout", 200, "text/html"},
		{"GET", "/d/", 404, "application/json"},
		{"GET", "/d/a/b", 404, "application/json"},
		{"GET", "/nothing", 404, "application/json"},
		{"GET", "/assets/nothing.js", 404, "application/json"},
		{"GET", "/index.html.gz", 404, "application/json"},
		{"POST", "/", 405, "application/json"},
	} {
		w := ask(h, c.method, c.path, "", "")
		if w.Code != c.status || !strings.HasPrefix(w.Header().Get("Content-Type"), c.contentType) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, w.Code, w.Header().Get("Content-Type"), c.status, c.contentType)
		}
		if c.method == "HEAD" && w.Body.Len() > 0 {
			t.Error("HEAD has a body")
		}
	}
}

func TestPolicy(t *testing.T) {
	h, err := New()
	if err != nil {
		t.Fatal(err)
	}
	got := ask(h, "GET", "/", "", "").Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(got, want) {
			t.Errorf("policy %q lacks %s", got, want)
		}
	}
	for _, no := range []string{"unsafe", "*", "http:", "data:"} {
		if strings.Contains(got, no) {
			t.Errorf("policy %q has %s", got, no)
		}
	}
}

// TestFrames: pages of named origins may show the page in a frame, no others.
func TestFrames(t *testing.T) {
	h, err := New("https://a.example", "https://b.example:8443")
	if err != nil {
		t.Fatal(err)
	}
	got := ask(h, "GET", "/d/x", "", "").Header().Get("Content-Security-Policy")
	if !strings.HasSuffix(got, "; frame-ancestors https://a.example https://b.example:8443") || strings.Count(got, "frame-ancestors") != 1 {
		t.Errorf("policy %q", got)
	}
}

// TestCaching: browsers revalidate pages and do not load them again, and keep files with a hash in
// their names for ever.
func TestCaching(t *testing.T) {
	h, err := New()
	if err != nil {
		t.Fatal(err)
	}
	first := ask(h, "GET", "/", "", "")
	if again := ask(h, "GET", "/", "", first.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("with its ETag / is %d with %d bytes, want 304 with none", again.Code, again.Body.Len())
	}
	if got := first.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("/ is %s, want no-cache", got)
	}
	for path, f := range h.files {
		w := ask(h, "GET", path, "", "")
		if f.forever != strings.Contains(w.Header().Get("Cache-Control"), "immutable") || f.forever != strings.HasPrefix(path, "/assets/") {
			t.Errorf("%s is %s", path, w.Header().Get("Cache-Control"))
		}
	}
}

func TestGzip(t *testing.T) {
	f := &file{plain: []byte("plain"), gzipped: []byte("gzipped"), contentType: "text/plain", etag: `W/"1"`}
	for accept, want := range map[string]string{
		"": "plain", "gzip": "gzipped", "br, gzip;q=0.5": "gzipped", "gzip;q=0": "plain", "GZIP": "gzipped", "deflate": "plain", "gzip;q=x": "plain",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		f.serve(w, r)
		if w.Body.String() != want || (w.Header().Get("Content-Encoding") == "gzip") != (want == "gzipped") || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: %s with %v, want %s", accept, w.Body, w.Header(), want)
		}
	}
}

func ask(h http.Handler, method, path, encoding, known string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	if known != "" {
		r.Header.Set("If-None-Match", known)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
