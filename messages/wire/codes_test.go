package wire

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/PROTOCOL.md")

const protocolPage = "../../docs/PROTOCOL.md"

// TestProtocolTables: the tables in docs/PROTOCOL.md are those of the code.
func TestProtocolTables(t *testing.T) {
	var errs, closes strings.Builder
	errs.WriteString("| code | word | status | retry | meaning |\n|---|---|---|---|---|\n")
	for _, e := range Codes {
		fmt.Fprintf(&errs, "| %d | %s | %d | %t | %s |\n", e.Code, e.Word, e.Status, e.Retry, e.Doc)
	}
	closes.WriteString("| code | reason | reconnect | meaning |\n|---|---|---|---|\n")
	for _, e := range CloseCodes {
		fmt.Fprintf(&closes, "| %d | %s | %t | %s |\n", e.Code, e.Word, e.Code.MayReconnect(), e.Doc)
	}
	b, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	page := table(t, table(t, string(b), "errors", errs.String()), "closes", closes.String())
	if page == string(b) {
		return
	}
	if !*update {
		t.Fatal("docs/PROTOCOL.md has other tables than the code: go test ./messages/wire -run TestProtocolTables -update")
	}
	if err := os.WriteFile(protocolPage, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table replaces the table between the marks of that name.
func table(t *testing.T, page, name, body string) string {
	t.Helper()
	const end = "<!-- end -->"
	before, rest, ok := strings.Cut(page, "<!-- "+name+":")
	mark, rest, ok2 := strings.Cut(rest, "-->\n")
	_, after, ok3 := strings.Cut(rest, end)
	if !ok || !ok2 || !ok3 {
		t.Fatalf("docs/PROTOCOL.md has no marks for %s", name)
	}
	return before + "<!-- " + name + ":" + mark + "-->\n" + body + end + after
}

// docs/PROTOCOL.md has a line for every type of message.
func TestProtocolNamesEveryType(t *testing.T) {
	b, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, types := range []map[string]func() Frame{fromClient, fromServer} {
		for name := range types {
			if !strings.Contains(string(b), "| `"+name+"` |") {
				t.Errorf("docs/PROTOCOL.md has no line for %s", name)
			}
		}
	}
}

func TestCodesAreOneOrderedTable(t *testing.T) {
	words := map[string]bool{}
	for i, e := range Codes {
		if i > 0 && Codes[i-1].Code >= e.Code || words[e.Word] || e.Doc == "" || e.Status < 400 {
			t.Errorf("entry %+v", e)
		}
		words[e.Word] = true
		if e.Code.Entry() != e || Errorf(e.Code, "x").Retry != e.Retry {
			t.Errorf("%d is not found", e.Code)
		}
	}
	if !slices.IsSortedFunc(CloseCodes, func(a, b CloseEntry) int { return int(a.Code - b.Code) }) {
		t.Error("close codes are out of order")
	}
	for _, e := range CloseCodes {
		if e.Code.MayReconnect() != (e.Code < 4500) || len(e.Word) > 123 || e.Code.Word() != e.Word {
			t.Errorf("entry %+v", e)
		}
	}
	if Code(9).Entry().Status != 500 {
		t.Error("a code without entry has no status")
	}
}
