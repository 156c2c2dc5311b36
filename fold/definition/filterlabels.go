package definition

import (
	"fmt"
	"maps"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"
)

// textLabels are filterNames with labels as the text that they always are. A filter is compiled for
// running with labels of any type, because a missing one is nil there.
var textLabels = func() types.Map {
	m := maps.Clone(filterNames)
	m["labels"] = types.TypeOf(map[string]string{})
	return m
}()

// checkLabels refuses a filter, one that compiles, that takes a label for something else than text:
// it would fail on every event that has the label. A definition in the log is not asked: what it
// did it goes on doing.
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

// mixedText finds where a filter goes on with text or with something else, as in (labels.n ?? 0) >
// 5. The compiler takes that for a value of any type, and it is of the wrong one wherever the text
// is there.
type mixedText struct{ said string }

// Visit is part of ast.Visitor.
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

// kindOf is the kind of a part's value; Interface where that is not known, or where it is nil.
func kindOf(n ast.Node) reflect.Kind {
	t := n.Type()
	if _, ok := n.(*ast.NilNode); ok || t == nil {
		return reflect.Interface
	}
	return t.Kind()
}
