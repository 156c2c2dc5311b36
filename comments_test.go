package dashfeed_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// commentEnds is the last column that a line with a comment may reach.
const commentEnds = 100

// TestCommentsEnd: a line with a comment is short enough to read beside another window. Directives
// for tools may be longer.
func TestCommentsEnd(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".pb.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, source, parser.ParseComments)
		if err != nil {
			return err
		}
		lines := bytes.Split(source, []byte("\n"))
		for _, group := range file.Comments {
			for _, c := range group.List {
				seen++
				at := fset.Position(c.Pos())
				if length := utf8.RuneCount(lines[at.Line-1]); strings.HasPrefix(c.Text, "// ") && length > commentEnds {
					t.Errorf("%s:%d: a line with a comment ends at column %d, at most %d is allowed", path, at.Line, length, commentEnds)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 1000 {
		t.Fatalf("only %d comments were examined: the walk is broken", seen)
	}
}
