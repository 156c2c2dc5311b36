package definition

import (
	"fmt"
	"maps"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"
)

// textLabels is filterNames with labels as the text that they always are. At run time a filter uses
// labels of any type, because a missing label is nil there.
var textLabels = func() types.Map {
	m := maps.Clone(filterNames)
	m["labels"] = types.TypeOf(map[string]string{})
	return m
}()

// checkLabels refuses a filter that compiles but uses a label as something other than text: it
// would fail on every event that has the label. Definitions that are already in the log are not
// checked, so that they behave as before.
func checkLabels(src string) error {
	program, err := expr.Compile(src, filterOptions(textLabels)...)
	said := ""
	if err != nil {
		said = firstLine(err)
	} else {
		mixed := &mixedText{}
		root := program.Node()
		ast.Walk(&root, mixed)
		said = mixed.said
	}
	if said != "" {
		return fmt.Errorf("%s: a label is text: int(labels.n) > 5 and labels.n == \"5\" compare it", said)
	}
	return nil
}

// mixedText finds where a filter continues with text or with something else, as in (labels.n ?? 0)
// > 5. The compiler treats that as a value of any type, but it has the wrong type whenever the
// label is there.
type mixedText struct{ said string }

// Visit implements ast.Visitor.
func (m *mixedText) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.BinaryNode:
		if n.Operator == "??" {
			m.compare("??", n.Left, n.Right)
		}
	case *ast.ConditionalNode:
		m.compare("? :", n.Exp1, n.Exp2)
	}
}

func (m *mixedText) compare(operator string, a, b ast.Node) {
	x, y := kindOf(a), kindOf(b)
	if x == y || x == reflect.Interface || y == reflect.Interface || x != reflect.String && y != reflect.String {
		return
	}
	at := a.Location()
	m.said = fmt.Sprintf("the two sides of %s are %v and %v (1:%d)", operator, x, y, at.From+1)
}

// kindOf returns the kind of a node's value; Interface if it is unknown or nil.
func kindOf(n ast.Node) reflect.Kind {
	t := n.Type()
	if _, ok := n.(*ast.NilNode); ok || t == nil {
		return reflect.Interface
	}
	return t.Kind()
}
