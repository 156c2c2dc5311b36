package definition

import (
	"fmt"
	"maps"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
)

// textLabels are filterNames with labels as the text that they always are. A filter is compiled for running with labels
// of any type, because a missing one is nil there.
var textLabels = func() types.Map {
	m := maps.Clone(filterNames)
	m["labels"] = types.TypeOf(map[string]string{})
	return m
}()

// checkLabels refuses a filter, one that compiles, that takes a label for something else than text: it would fail on
// every event and so let none pass. A definition in the log is not asked: what it did it goes on doing.
func checkLabels(src string) error {
	if _, err := expr.Compile(src, filterOptions(textLabels)...); err != nil {
		return fmt.Errorf("%s: a label is text: int(labels.n) > 5 and labels.n == \"5\" compare it", firstLine(err))
	}
	return nil
}
