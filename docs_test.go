package dashfeed_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGlossary checks that every word that messages/doc.go defines is in the glossary.
func TestGlossary(t *testing.T) {
	glossary := read(t, "docs/GLOSSARY.md")
	words := regexp.MustCompile(`(?m)^//\t([a-z ]+?) {2,}\S`).FindAllStringSubmatch(read(t, "messages/doc.go"), -1)
	if len(words) < 20 {
		t.Fatalf("messages/doc.go defines %d words", len(words))
	}
	for _, w := range words {
		if !strings.Contains(glossary, "\n| "+w[1]+" | ") {
			t.Errorf("docs/GLOSSARY.md does not define %q, messages/doc.go does", w[1])
		}
	}
}

// TestExtending checks that every file that docs/EXTENDING.md names is there.
func TestExtending(t *testing.T) {
	names := regexp.MustCompile("`([a-zA-Z0-9_/.-]+(?:/|\\.(?:go|ts|md|json|txt)))`").FindAllStringSubmatch(read(t, "docs/EXTENDING.md"), -1)
	if len(names) < 20 {
		t.Fatalf("docs/EXTENDING.md names %d files", len(names))
	}
	for _, n := range names {
		if strings.Contains(n[1], "NAME") {
			continue // the file that is to be written
		}
		if _, err := os.Stat(n[1]); err != nil {
			t.Errorf("docs/EXTENDING.md names a file that is not there: %v", err)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
