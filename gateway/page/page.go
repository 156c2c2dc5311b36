// Package page holds the web page of a gateway: its embedded files, and the handler that serves
// them.
//
// Vite builds the page into dist/built, which is not committed; `make build` does it first. Without
// it the package embeds dist/placeholder.html only, so that a fresh clone builds and vets.
//
// The handler serves / and /d/{id} (the page; it reads its own address), /assets/ (files whose
// names hold the hash of their content, kept by browsers for ever) and nothing else.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/dashfeed/dashfeed/messages/wire"
)

//go:embed all:dist
var dist embed.FS

// policy allows what the page consists of, its own files and its own server, and no markup or
// script made from text: with require-trusted-types-for a browser refuses even the attempt.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// file is one served file.
type file struct {
	plain, gzipped []byte
	contentType    string
	etag           string
	forever        bool // its name changes with its content
}

// Handler serves the page.
type Handler struct {
	policy string
	index  *file
	files  map[string]*file // by path
	built  bool
}

// New reads the embedded files. Pages of the given origins may show the page in a frame. It returns
// an error if the page was built wrongly.
func New(ancestors ...string) (*Handler, error) {
	built, err := fs.Sub(dist, "dist/built")
	if err != nil {
		return nil, err
	}
	if len(ancestors) == 0 {
		ancestors = []string{"'none'"}
	}
	h := &Handler{files: map[string]*file{}, policy: policy + "; frame-ancestors " + strings.Join(ancestors, " ")}
	err = fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".gz") {
			return err
		}
		f, err := load(built, name)
		if err != nil {
			return err
		}
		h.files["/"+name] = f
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		h.index, err = load(dist, "dist/placeholder.html")
		return h, err
	}
	if err != nil {
		return nil, fmt.Errorf("embedded page: %w", err)
	}
	if h.index = h.files["/index.html"]; h.index == nil {
		return nil, errors.New("embedded page: index.html is missing")
	}
	delete(h.files, "/index.html") // ServeHTTP serves it at the page's own addresses
	h.built = true
	return h, nil
}

// Built reports whether the binary has the page, not only its placeholder.
func (h *Handler) Built() bool { return h.built }

func load(from fs.FS, name string) (*file, error) {
	plain, err := fs.ReadFile(from, name)
	if err != nil {
		return nil, err
	}
	f := &file{plain: plain, contentType: mime.TypeByExtension(path.Ext(name)), forever: strings.HasPrefix(name, "assets/")}
	if f.contentType == "" {
		f.contentType = "application/octet-stream"
	}
	f.etag = fmt.Sprintf(`W/"%.8x"`, sha256.Sum256(plain)) // weak: the same with and without gzip
	if f.gzipped, err = fs.ReadFile(from, name+".gz"); errors.Is(err, fs.ErrNotExist) {
		return f, nil
	} else if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(f.gzipped))
	if err != nil {
		return nil, fmt.Errorf("%s.gz: %w", name, err)
	}
	if same, err := io.ReadAll(r); err != nil || !bytes.Equal(same, plain) {
		return nil, fmt.Errorf("%s.gz is not %s compressed", name, name)
	}
	return f, nil
}

// ServeHTTP serves the paths that no other handler of the gateway has.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := h.files[r.URL.Path]
	if f == nil && isPage(r.URL.Path) {
		f = h.index
	}
	if f == nil {
		refuse(w, http.StatusNotFound, wire.Errorf(wire.CodeBadMessage, "there is no path %.200q", r.URL.Path))
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, wire.Errorf(wire.CodeBadMessage, "%.200s takes GET, HEAD, not %s", r.URL.Path, r.Method))
		return
	}
	w.Header().Set("Content-Security-Policy", h.policy)
	f.serve(w, r)
}

// isPage reports whether a path is one of the page's own addresses: the list, or a dashboard.
func isPage(p string) bool {
	if p == "/" {
		return true
	}
	id, ok := strings.CutPrefix(p, "/d/")
	return ok && id != "" && !strings.Contains(id, "/")
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Referrer-Policy", "no-referrer")
	header.Add("Vary", "Accept-Encoding")
	header.Set("ETag", f.etag)
	if f.forever {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.gzipped != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		body = f.gzipped
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the client may be gone
}

// acceptsGzip reports whether gzip is named with a weight that isn't 0.
func acceptsGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, parameter, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight, given := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
			q, err := strconv.ParseFloat(weight, 64)
			return !given || err == nil && q > 0
		}
	}
	return false
}

// refuse answers with the protocol's error body, as the gateway does on its own paths.
func refuse(w http.ResponseWriter, status int, e *wire.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, "{\"error\":{\"code\":%d,\"message\":%s,\"retry\":false,\"after\":0}}\n", e.Code, wire.AppendString(nil, e.Message))
}
